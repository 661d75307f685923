"""Factors of the classes' probabilities before the largest is taken, or before they are ranked."""

from __future__ import annotations

import numpy as np

from workbench.blending.decision import ClassFactors
from workbench.ensembles.confusion import SCORES
from workbench.ensembles.factor_steps import Along, LabelSteps, RankSteps, TriedSteps
from workbench.ensembles.gaps import EQUAL, middle, widest_best
from workbench.ensembles.members import Members
from workbench.metrics import Array, ranked_labels

GAIN = 1e-7
"""A step that betters the score by no more is not taken: a single row of a million is 10 times as much."""

ENOUGH = 1e-5
ROUNDS = 6
"""There is no further round after one that bettered the score by no more than `ENOUGH`."""

ROWS = 20_000
"""So many rows, evenly spaced, tell MAP@k and a user's metric, which take long; what they find is judged on all."""


def find_class_factors(members: Members, prediction: Array) -> ClassFactors | None:
    """Return the best factors of ``(rows, classes)``; ``None`` where none are better than equal ones.

    One factor after the other is set to the best value, from 1 on, until none moves. Of metrics that a confusion matrix
    tells, and of MAP@k, a factor's every value is known from the ratios at which rows change: exactly, or by quantiles
    of the ratios where there are more than `factor_steps.PLACES`. Of a user's metric some steps are tried.
    """
    known = members.metric.function in SCORES
    along: Along = LabelSteps(members, prediction) if known else _thinned(members, prediction)
    factors = _ascend(along, prediction.shape[1])
    found = ClassFactors(factors=tuple(factors.tolist()))
    pooled = known or ranked_labels(members.metric) is not None
    gain = _loss(members, prediction, pooled=pooled) - _loss(members, found.apply(prediction), pooled=pooled)
    return found if gain > EQUAL else None


def _thinned(members: Members, prediction: Array) -> Along:
    most = ranked_labels(members.metric)
    keep = np.arange(len(prediction)) % max(1, len(prediction) // ROWS) == 0
    part = members.rows_where(keep)
    return TriedSteps(part, prediction[keep]) if most is None else RankSteps(part, prediction[keep], most)


def _loss(members: Members, prediction: Array, *, pooled: bool) -> float:
    score = members.metric(members.y, prediction, members.mass) if pooled else members.score(prediction)
    return members.metric.loss(score)


def _ascend(along: Along, classes: int) -> Array:
    """Return factors ``(classes,)``, as far from 1 as single steps better the score."""
    factors = np.ones(classes)
    best = -np.inf
    for _ in range(ROUNDS):
        before = best
        for code in range(classes):
            lows, highs, scores = along(code, factors)
            if best == -np.inf:
                best = scores[min(np.searchsorted(highs, factors[code]), len(scores) - 1)]
            place = widest_best(scores, np.log(lows), np.log(highs))
            if place is not None and scores[place] > best + GAIN:
                best = scores[place]
                factors[code] = np.exp(middle(np.log(lows[place]), np.log(highs[place])))
        if not best > before + ENOUGH:
            break
    return factors
