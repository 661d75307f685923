"""Measurements of the workbench against targets: ``python -m benchmarks.NAME``."""
