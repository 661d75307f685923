"""A JSON schema of ``experiment.yaml``, for the completion and checking of editors.

A first line ``# yaml-language-server: $schema=<path to the schema>`` in an ``experiment.yaml`` switches it on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.config.models import ExperimentConfig
from workbench.registry import BUILT_INS, Group

_NAMES: dict[tuple[str, str], Group] = {
    ("ExperimentConfig", "metric"): "metrics",
    ("FamilyConfig", "name"): "families",
    ("FamilyConfig", "preparation"): "preparations",
    ("SearchConfig", "engine"): "engines",
    ("TrainingConfig", "executor"): "executors",
    ("EnsembleConfig", "method"): "ensembles",
}


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). The names of built-ins are examples: entry points may add more."""
    schema = ExperimentConfig.model_json_schema()
    models = {**schema["$defs"], "ExperimentConfig": schema}
    for (model, key), group in _NAMES.items():
        models[model]["properties"][key]["examples"] = list(BUILT_INS[group])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "experiment.yaml"}


def write_json_schema(path: Path) -> None:
    """Write the schema to ``path``, the same bytes for the same models."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
