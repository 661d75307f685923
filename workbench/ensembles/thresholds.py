"""The probability above which a row is called positive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.blending.decision import HALF, Threshold
from workbench.ensembles.confusion import SCORES
from workbench.ensembles.gaps import EQUAL, middle, widest_best
from workbench.ensembles.members import Members
from workbench.metrics import Array

QUANTILES = 99
"""So many thresholds are tried for a metric that is a function of the user's."""


def find_threshold(members: Members, prediction: Array) -> Threshold | None:
    """Return the best threshold of probabilities ``(rows, 1)``; ``None`` where one half is as good.

    Of the metrics that a confusion matrix tells, every threshold is tried, and it lies in the middle of the gap
    between two neighbouring probabilities: the widest, where several are equally good. Of a user's metric a grid of
    quantiles is tried, by the mean over splits.
    """
    scores = SCORES.get(members.metric.function)
    if scores is None:
        return _from_grid(members, prediction)
    p = np.asarray(prediction[:, 0], dtype=np.float64)
    values, tables = _tables(p, members.y == 1, members.mass)
    found = scores(tables)
    lows = np.append(np.nextafter(min(values[0], 0.0), -1.0), values)
    highs = np.append(values, max(values[-1], 1.0))
    best = widest_best(found, lows, highs)
    half = found[np.searchsorted(values, HALF, "right")]
    if best is None or not found[best] > half + EQUAL:
        return None
    return Threshold(at=middle(lows[best], highs[best]))


def _tables(p: Array, hit: Array, mass: Array) -> tuple[Array, Array]:
    """Return the distinct probabilities, and the confusion matrices of cuts below and after each, ``(cuts, 2, 2)``."""
    values, place = np.unique(p, return_inverse=True)
    up = np.bincount(place, weights=mass * hit)
    down = np.bincount(place, weights=mass * ~hit)
    tables = np.zeros((len(values) + 1, 2, 2))
    for code, parts in enumerate((down, up)):
        tables[1:, code, 0] = np.cumsum(parts)
        tables[:-1, code, 1] = np.cumsum(parts[::-1])[::-1]  # no difference: what is empty is exactly 0
    return values, tables


def _from_grid(members: Members, prediction: Array) -> Threshold | None:
    grid = np.unique(np.quantile(prediction[:, 0], np.linspace(0.0, 1.0, QUANTILES + 2)[1:-1]))
    loss = _loss_at(members, prediction)
    losses = np.array([loss(float(at)) for at in grid])
    best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    # Of equal neighbours the middle one.
    last = best
    while last + 1 < len(grid) and losses[last + 1] == losses[best]:
        last += 1
    return Threshold(at=float(grid[(best + last) // 2])) if losses[best] < loss(HALF) - EQUAL else None


def _loss_at(members: Members, prediction: Array) -> Callable[[float], float]:
    def loss(at: float) -> float:
        return members.metric.loss(members.score((prediction > at).astype(np.float64)))

    return loss
