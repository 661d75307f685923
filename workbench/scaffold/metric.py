"""The metric: the user's under any of its names, else the usual one of the task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench import registry
from workbench.data.labels import distinct
from workbench.errors import ConfigError
from workbench.metrics import Metric, load_metric
from workbench.scaffold.inference import Inference
from workbench.synonyms import called_here
from workbench.types import MetricRef

MOST_CLASSES = 20
"""So many distinct whole numbers may be classes; more are taken for a quantity."""
ROWS_A_CLASS = 10
WIDE_SPAN = 100.0
"""A positive target whose largest value is so many times the smallest is often scored by relative errors."""


def choose_metric(target: pd.Series[Any], wanted: str | None) -> tuple[Inference, Metric]:
    """Return the metric and why.

    Raises:
        ConfigError: ``wanted`` is no metric under any name.
    """
    chosen = _usual(target) if wanted is None else _named(wanted)
    return chosen, load_metric(MetricRef(name=chosen.value))


def _named(wanted: str) -> Inference:
    if ":" in wanted:
        raise ConfigError(
            f"--metric '{wanted}': a function of your own is set in experiment.yaml, as "
            f"metric: {{function: {wanted}, direction: maximize}}; begin with a built-in one"
        )
    found = called_here(wanted, registry.references("metrics")) or wanted
    reason = "as told by --metric" if found == wanted else f"as told by --metric: '{wanted}' is '{found}' here"
    return Inference("metric", found, reason)


def _usual(target: pd.Series[Any]) -> Inference:
    values = distinct(target)
    numbers = np.array([value for value in values if isinstance(value, (int, float))], dtype=np.float64)
    named = len(numbers) < len(values) or isinstance(values[0], bool)
    if len(values) == 2:
        return Inference("metric", "auc", "usual for two classes; predictions are probabilities")
    if named:
        return Inference("metric", "log_loss", f"usual for {len(values)} classes; predictions are probabilities")
    whole = bool((numbers % 1 == 0).all())
    if whole and len(values) <= MOST_CLASSES and len(target) >= ROWS_A_CLASS * len(values):
        return Inference(
            "metric", "log_loss", f"{len(values)} whole numbers, taken for classes; rmse if they are a quantity"
        )
    wide = numbers.min() > 0 and numbers.max() > WIDE_SPAN * numbers.min()
    more = f"; rmsle if relative errors count: it spans {numbers.min():g} to {numbers.max():g}" if wide else ""
    return Inference("metric", "rmse", f"usual for a quantity{more}")
