"""Where between two neighbouring values a cut is put."""

from __future__ import annotations

import numpy as np

from workbench.metrics import Array

EQUAL = 1e-12
"""Scores that differ by no more are equal: sums in another order."""


def middle(low: float, high: float) -> float:
    """Return a number from ``low`` to below ``high``, in the middle where there is one between them."""
    between = low + (high - low) / 2.0
    return between if between < high else low


def widest_best(scores: Array, lows: Array, highs: Array) -> int | None:
    """Return the place of the widest gap with the best score, the first of equals; ``None`` if no score is known."""
    known = np.isfinite(scores)
    if not known.any():
        return None
    best = np.where(known, scores, -np.inf) >= scores[known].max() - EQUAL
    return int(np.argmax(np.where(best, highs - lows, -np.inf)))


def steps(values: Array, most: int) -> tuple[Array, Array]:
    """Return distinct ``values``, rising, at most ``most``: quantiles where there are more; and the next above each.

    The value after the last is infinity. A cut in such a gap parts exactly the rows up to it from the others.
    """
    distinct = np.unique(values)
    after = np.append(distinct[1:], np.inf)
    if len(distinct) <= most:
        return distinct, after
    ranks = np.linspace(0, len(values) - 1, most).astype(np.int64)
    chosen = np.unique(np.searchsorted(distinct, np.sort(values)[ranks]))
    return distinct[chosen], after[chosen]
