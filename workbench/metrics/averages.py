"""Averages with row weights."""

from __future__ import annotations

import numpy as np

from workbench.metrics.metric import Array

ROUNDING = 1e-9
"""Share of a sum of weights within which two sums are the same: a million of 0.1 are not 100,000."""


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
    half = below[-1] / 2.0
    middle = np.searchsorted(below, half * (1.0 - ROUNDING))
    upper = min(middle + 1, len(order) - 1) if np.isclose(below[middle], half, rtol=ROUNDING, atol=0.0) else middle
    return float((values[order[middle]] + values[order[upper]]) / 2.0)
