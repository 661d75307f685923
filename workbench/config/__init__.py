"""``experiment.yaml``: models, a safe reader, overrides, and a JSON schema for editors."""

from workbench.config.json_schema import json_schema, write_json_schema
from workbench.config.models import (
    DataConfig,
    EnsembleConfig,
    ExperimentConfig,
    FamilyConfig,
    FoldsConfig,
    MetricConfig,
    SearchConfig,
    TrackingConfig,
    TrainingConfig,
)
from workbench.config.reader import config_from_mapping, read_config

__all__ = [
    "DataConfig",
    "EnsembleConfig",
    "ExperimentConfig",
    "FamilyConfig",
    "FoldsConfig",
    "MetricConfig",
    "SearchConfig",
    "TrackingConfig",
    "TrainingConfig",
    "config_from_mapping",
    "json_schema",
    "read_config",
    "write_json_schema",
]
