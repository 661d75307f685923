"""The metric: the user's under any of its names, else the usual one of the task."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from workbench import registry
from workbench.data.labels import distinct
from workbench.errors import ConfigError
from workbench.metrics import Metric, load_metric
from workbench.scaffold.inference import Inference
from workbench.types import MetricRef

SYNONYMS = (
    {"logloss", "crossentropy", "multilogloss", "mlogloss", "binarylogloss", "nll"},
    {"auc", "rocauc", "auroc", "aucroc", "rocaucscore", "areaundertheroccurve"},
    {"accuracy", "acc", "categorizationaccuracy", "accuracyscore"},
    {"rmse", "rootmeansquarederror", "l2root"},
    {"rmsle", "rootmeansquaredlogerror", "rootmeansquaredlogarithmicerror"},
    {"mae", "meanabsoluteerror", "l1"},
    {"qwk", "quadraticweightedkappa", "weightedkappa", "quadratickappa"},
    {"averageprecision", "ap", "prauc", "aucpr", "averageprecisionscore"},
    {"matthews", "mcc", "matthewscorrcoef", "matthewscorrelation", "matthewscorrelationcoefficient"},
    {"f1", "f1binary", "f1score"},
    {"f1macro", "macrof1"},
    {"balancedaccuracy", "balancedaccuracyscore", "bacc"},
    {"medianabsoluteerror", "medae", "mdae"},
    {"mape", "meanabsolutepercentageerror"},
    {"smape", "symmetricmeanabsolutepercentageerror"},
    {"r2", "rsquared", "r2score"},
)
"""Names of one and the same metric, without case and punctuation; which of them is registered is looked up."""
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
    known = registry.references("metrics")
    plain = _plain(wanted)
    same = next((names for names in SYNONYMS if plain in names), {plain})
    found = wanted if wanted in known else next((name for name in known if _plain(name) in same), wanted)
    reason = "as told by --metric" if found == wanted else f"as told by --metric: '{wanted}' is '{found}' here"
    return Inference("metric", found, reason)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


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
