"""Where the expected position of ordered classes is cut, for the quadratic weighted kappa."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.blending.decision import CutPoints, expected_position
from workbench.ensembles.gaps import EQUAL, middle, steps
from workbench.ensembles.members import Members
from workbench.metrics import Array, labels

PLACES = 1000
"""So many places are tried for each cut: quantiles of the expected position."""

ROUNDS = 50


def find_cut_points(members: Members, prediction: Array) -> CutPoints | None:
    """Return the cuts of the expected class under ``(rows, classes)``; ``None`` where the largest is as good.

    One cut after the other goes to the best place between its neighbours until none moves, from two starts: each class
    as frequent as it is, and the halves between the classes.
    """
    classes, mass = prediction.shape[1], members.mass
    position = expected_position(prediction)
    edges, after = steps(position, PLACES)
    kappa = _Kappa.of(members.y, position, mass, edges)
    marginals = np.array([mass[members.y >= code].sum() for code in range(1, classes)])
    frequent = np.abs(kappa.share[:, None] - marginals).argmin(axis=0)
    halves = np.searchsorted(edges, np.arange(1, classes) - 0.5)
    runs = [_ascend(kappa, np.maximum.accumulate(start)) for start in (frequent, halves)]
    score, places = max(runs, key=lambda run: run[0])
    if not score > members.metric.function(members.y, labels(prediction), mass) + EQUAL:
        return None
    lows, highs = np.append(-1.0, edges), np.append(edges[0], np.minimum(after, classes))
    return CutPoints(cuts=tuple(middle(float(lows[at]), float(highs[at])) for at in places))


@dataclass(frozen=True)
class _Kappa:
    """What the kappa of any cuts is summed up from, by the place of a cut: before all positions, or after an edge.

    A code is the number of cuts below the position, so its moments are sums over the cuts.
    """

    share: Array
    """The mass of rows above each place, ``(places,)``."""
    total: Array
    """The sum of their true codes, times mass, ``(places,)``."""
    mean: float
    square: float
    """Of the true codes."""

    @classmethod
    def of(cls, y: Array, position: Array, mass: Array, edges: Array) -> _Kappa:
        y, mass = y.astype(np.float64), mass / mass.sum()
        cell, size = np.searchsorted(edges, position), len(edges) + 1
        share, total = (np.cumsum(np.bincount(cell, part, size)[::-1])[::-1] for part in (mass, mass * y))
        return cls(share, total, mean=float(mass @ y), square=float(mass @ y**2))

    def score(self, places: Array) -> Array:
        """Return the kappa of cuts ``(cuts, candidates)``; -1 where it is not defined."""
        share = self.share[places]
        first = share.sum(axis=0)
        second = (2.0 * np.arange(len(places)) + 1.0) @ share
        covariance = self.total[places].sum(axis=0) - self.mean * first
        by_chance = self.square - 2.0 * self.mean * first + second
        undefined = np.full(len(first), -1.0)
        kappas: Array = np.divide(2.0 * covariance, by_chance, out=undefined, where=by_chance > EQUAL)
        return kappas


def _ascend(kappa: _Kappa, places: Array) -> tuple[float, Array]:
    """Return the best score that moving one cut at a time leads to, and the cuts' places."""
    best = float(kappa.score(places[:, None])[0])
    for _ in range(ROUNDS):
        before = best
        for cut in range(len(places)):
            low = places[cut - 1] if cut else 0
            high = places[cut + 1] if cut + 1 < len(places) else len(kappa.share) - 1
            tried = np.repeat(places[:, None], high - low + 1, axis=1)
            tried[cut] = np.arange(low, high + 1)
            scores = kappa.score(tried)
            if scores.max() > best + EQUAL:
                best, places = float(scores.max()), tried[:, int(scores.argmax())]
        if best == before:
            break
    return best, places
