"""MLflow and TensorBoard of an experiment, on this machine only, as long as one looks at them."""
