"""Experiment tracking and hyperparameter search for competitions: Keras models and boosted trees, table to submission.

::

    import workbench

    result = workbench.run(workbench.Experiment("train.csv", target="price", metric="rmse"))

Everything here is imported when it is first used: ``import workbench`` takes milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.data.features import feature_set
    from workbench.evaluation import Comparison, evaluate
    from workbench.experiment import Experiment
    from workbench.metrics import Metric
    from workbench.models.problem import Problem
    from workbench.models.recipe import Recipe
    from workbench.study import load_study
    from workbench.sweep import run

__all__ = ["Comparison", "Experiment", "Metric", "Problem", "Recipe", "evaluate", "feature_set", "load_study", "run"]
__version__ = "0.1.0"

_HOMES = {
    "Comparison": "workbench.evaluation",
    "Experiment": "workbench.experiment",
    "Metric": "workbench.metrics",
    "Problem": "workbench.models.problem",
    "Recipe": "workbench.models.recipe",
    "evaluate": "workbench.evaluation",
    "feature_set": "workbench.data.features",
    "load_study": "workbench.study",
    "run": "workbench.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute '{name}'; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
