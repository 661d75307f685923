"""``experiment.yaml``: models, a safe reader, overrides, and a JSON schema for editors."""

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
]
