"""The score of a blend as a function of one class' factor: constant between the ratios at which rows change."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from workbench.ensembles.confusion import SCORES
from workbench.ensembles.gaps import steps
from workbench.ensembles.members import Members
from workbench.metrics import Array, MetricFunction

LIMIT = 100.0
"""Factors are from 1 / LIMIT to LIMIT."""

PLACES = 2000
"""So many ratios at most are tried for a factor."""

TABLES = 2e6
"""So many numbers the confusion matrices of one factor may hold."""

RELATIVE = (0.1, 0.45, 0.75, 0.9, 1.0, 1.1, 1.35, 2.2, 10.0)
"""Steps of a factor for a metric that is a function of the user's."""


class Steps(NamedTuple):
    """A score as a step function of one class' factor: ``scores`` between ``lows`` and ``highs``, both rising."""

    lows: Array
    highs: Array
    scores: Array


class Along(Protocol):
    """Gives the score of every value of one class' factor, where the others stay."""

    def __call__(self, code: int, factors: Array) -> Steps:
        """Return the steps of ``code``'s factor."""
        ...


def _gaps(ratios: Array, most: int) -> tuple[Array, Array, Array]:
    """Return the gaps between the ratios within `LIMIT`, and the number of the first gap above each ratio.

    Ratios above all gaps have the number of gaps.
    """
    inside = ratios[(ratios > 1.0 / LIMIT) & (ratios < LIMIT)]
    if not len(inside):
        return np.array([1.0 / LIMIT]), np.array([LIMIT]), (ratios >= LIMIT).astype(np.int64)
    edges, after = steps(inside, most)
    lows = np.append(1.0 / LIMIT, edges)
    highs = np.append(inside.min(), np.minimum(after, LIMIT))
    return lows, highs, np.searchsorted(lows, ratios)


def _ratios(over: Array, under: Array) -> Array:
    """Return the factor of ``under`` at which it reaches ``over``; infinity where it never does."""
    ratios: Array = np.divide(over, under, out=np.full(len(over), np.inf), where=under > 0.0)
    return ratios


class LabelSteps:
    """Metrics of a confusion matrix: a row goes from its next best class to ``code`` where the factor passes a ratio.

    Attributes:
        planes: Probabilities ``(classes, rows)``.
    """

    def __init__(self, members: Members, prediction: Array) -> None:
        self.planes = np.ascontiguousarray(prediction.T)
        self.y, self.mass = members.y.astype(np.int64), members.mass
        self.function: MetricFunction = members.metric.function

    def __call__(self, code: int, factors: Array) -> Steps:
        """Return the steps of ``code``'s factor."""
        classes = len(factors)
        weighted = self.planes * factors[:, None]
        weighted[code] = -1.0
        other = weighted.argmax(axis=0)
        ratios = _ratios(weighted.max(axis=0), self.planes[code])
        lows, highs, first = _gaps(ratios, int(min(PLACES, max(10.0, TABLES / classes**2))))
        size = len(lows) + 1
        cells = (first * classes + self.y) * classes
        leaving, coming = (
            np.bincount(cells + given, self.mass, size * classes**2).reshape(size, classes, classes)
            for given in (other, code)
        )
        # In gap g those that change at or below it are in `code`, the others in the next best.
        tables = np.cumsum(coming, axis=0)[:-1] + np.cumsum(leaving[::-1], axis=0)[::-1][1:]
        return Steps(lows, highs, SCORES[self.function](tables))


class RankSteps:
    """MAP@k: the true class' rank changes where the factor passes a ratio of two classes."""

    def __init__(self, members: Members, prediction: Array, most: int) -> None:
        self.planes = np.ascontiguousarray(prediction.T)
        self.y, self.mass = members.y.astype(np.int64), members.mass
        ranks = np.arange(1, len(self.planes) + 2)
        self.worth = np.r_[0.0, np.where(ranks <= most, 1.0 / ranks, 0.0)]

    def __call__(self, code: int, factors: Array) -> Steps:
        """Return the steps of ``code``'s factor."""
        weighted = self.planes * factors[:, None]
        rank, true = self._without(code, weighted)
        own = self.y == code
        lost = np.where(own, 0.0, self.mass * (self.worth[rank + 1] - self.worth[rank]))
        overtaken, gain = self._overtaken(code, weighted, own)
        ratios = np.concatenate([_ratios(true, self.planes[code]), overtaken])
        lows, highs, first = _gaps(ratios, PLACES)
        change = np.bincount(first, np.concatenate([lost, gain]), len(lows) + 1)
        # A factor of 0 puts the class last.
        start = float(self.mass @ self.worth[np.where(own, len(self.planes), rank)])
        return Steps(lows, highs, start + np.cumsum(change)[:-1])

    def _without(self, code: int, weighted: Array) -> tuple[Array, Array]:
        """Return the rank of each row's true class among all but ``code``, and its weighted probability."""
        true = weighted[self.y, np.arange(len(self.y))]
        rank = np.ones(len(self.y), dtype=np.int64)
        for other, plane in enumerate(weighted):
            if other != code:
                rank += plane > true
                rank += (plane == true) & (other < self.y)
        return rank, true

    def _overtaken(self, code: int, weighted: Array, own: Array) -> tuple[Array, Array]:
        """Return where ``code`` overtakes each other class in the rows that it is true of, and what that gains."""
        rivals = np.delete(weighted[:, own], code, axis=0)
        rivals.sort(axis=0)
        rank = np.arange(len(rivals), 0, -1)
        step = self.worth[rank] - self.worth[rank + 1]
        counts = step > 0.0  # the first k ranks alone
        gain = np.outer(step[counts], self.mass[own])
        return _ratios(rivals[counts].ravel(), np.tile(self.planes[code, own], len(gain))), gain.ravel()


class TriedSteps:
    """A user's metric, of the rows of all splits together: one call instead of one a split."""

    def __init__(self, members: Members, prediction: Array) -> None:
        self.members, self.prediction = members, prediction

    def __call__(self, code: int, factors: Array) -> Steps:
        """Return the scores of a few values of ``code``'s factor, each a gap of no width."""
        tried = factors[code] * np.asarray(RELATIVE)
        tried = tried[(tried >= 1.0 / LIMIT) & (tried <= LIMIT)]
        metric, changed = self.members.metric, self.prediction * factors
        losses = []
        for factor in tried:
            changed[:, code] = self.prediction[:, code] * factor
            losses.append(metric.loss(metric(self.members.y, changed, self.members.weight)))
        return Steps(tried, tried, -np.asarray(losses))
