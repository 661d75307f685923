"""Methods that fit nothing: every member counts alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.blending.mix import equal
from workbench.blending.weighted import Ranked, Weighted
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit, NotApplicable
from workbench.metrics import Array

RANKED = ("auc", "average_precision")
"""Metrics that look at the order of rows alone."""

KNOTS = 1001
"""So many quantiles of a member's predictions say which rank a prediction has; between them it is linear."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The plain mean. ``seed`` is not used."""

    simplicity: ClassVar[int] = 1
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Return equal weights."""
        return Fit(equal(len(members)))


@dataclass(frozen=True, kw_only=True)
class GeometricMean:
    """The mean of log-odds or log-probabilities, and of the logarithms of values that are all positive."""

    simplicity: ClassVar[int] = 2
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Return equal weights in the space of logarithms.

        Raises:
            NotApplicable: some value to average is not positive.
        """
        weights = np.full(len(members), 1.0 / len(members))
        if members.classification:
            return Fit(Weighted.of(weights, "logit"))
        if not (members.predictions > 0.0).all():
            raise NotApplicable("geometric_mean: some predictions are not positive; choose mean, or another method")
        return Fit(Weighted.of(weights, "log"))


@dataclass(frozen=True, kw_only=True)
class RankAverage:
    """The mean of ranks, for metrics that look at the order of rows alone."""

    simplicity: ClassVar[int] = 3
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Return equal weights of ranks among the out-of-fold predictions.

        Raises:
            NotApplicable: the metric looks at more than the order.
        """
        if members.metric.name not in RANKED or members.outputs != 1:
            raise NotApplicable(
                f"rank_average: ranks are no probabilities or values, which {members.metric.name} needs; it is for "
                f"{' and '.join(RANKED)} of two classes"
            )
        maps = [_ranks(prediction[:, 0]) for prediction in members.predictions]
        values, ranks = zip(*maps, strict=True)
        return Fit(Ranked(weights=(1.0 / len(maps),) * len(maps), values=values, ranks=ranks))


def _ranks(prediction: Array) -> tuple[Array, Array]:
    """Return rising probabilities from 0 to 1, and the share of rows below each; ties have their mean rank."""
    count = len(prediction)
    values, counts = np.unique(np.sort(prediction), return_counts=True)
    middles = (np.cumsum(counts) - counts / 2.0) / count
    if len(values) > KNOTS:
        places = np.searchsorted(middles, np.linspace(middles[0], middles[-1], KNOTS))
        chosen = np.unique(places.clip(0, len(values) - 1))
        values, middles = values[chosen], middles[chosen]
    # Beyond what was seen the order goes on.
    low = np.zeros(int(values[0] > 0.0))
    high = np.ones(int(values[-1] < 1.0))
    return np.concatenate([low, values, high]), np.concatenate([low, middles, high])
