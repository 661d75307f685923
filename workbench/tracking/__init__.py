"""Projections of the ledger: MLflow, TensorBoard, the model registry. All of them can be rebuilt from event 0."""
