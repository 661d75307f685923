"""What the benchmark of ensembles is made of."""
