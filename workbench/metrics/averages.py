"""Averages with row weights."""

from __future__ import annotations

import numpy as np

from workbench.metrics.metric import Array


def mean(values: Array, weight: Array | None) -> float:
    """Return the mean of ``values`` of shape ``(rows,)``; ``weight`` is ``None`` or ``(rows,)``."""
    return float(np.average(values, weights=weight))


def median(values: Array, weight: Array | None) -> float:
    """Return the median of ``values`` of shape ``(rows,)``: where half of the weight is reached.

    Where exactly half lies below, the mean of the two neighbours, so that equal weights give the plain median.
    """
    if weight is None:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    order = order[weight[order] > 0.0]
    below = np.cumsum(weight[order])
    middle = np.searchsorted(below, below[-1] / 2.0)
    upper = min(middle + 1, len(order) - 1) if below[middle] == below[-1] / 2.0 else middle
    return float((values[order[middle]] + values[order[upper]]) / 2.0)
