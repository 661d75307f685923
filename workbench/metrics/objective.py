"""What a model of values should minimise for a metric."""

from __future__ import annotations

from typing import Literal, NamedTuple

from workbench.errors import ConfigError
from workbench.metrics.values import pinball


class Objective(NamedTuple):
    """A training loss by its kind; ``quantile`` is the one that ``kind`` ``quantile`` aims at, else the median."""

    kind: Literal["squared", "absolute", "quantile"]
    quantile: float = 0.5


_ABSOLUTE = ("mae", "medae", "mape", "smape")
"""Their best constant is a median, of rows that are weighted in one way or another."""


def objective(metric: str) -> Objective:
    """Return the training loss that fits a regression metric's name; squared error for what is not known."""
    if metric in _ABSOLUTE:
        return Objective("absolute")
    stem, _, quantile = metric.rpartition("_")
    if stem == "pinball" and _is_quantile(quantile):
        return Objective("quantile", float(quantile))
    return Objective("squared")


def _is_quantile(text: str) -> bool:
    try:
        return pinball(text) is not None
    except ConfigError:
        return False
