"""Two submissions for the last day: the best one, and the best of those that differ most from it.

Public leaderboards let a team choose two. If the first one is wrong in a way that its score does not show, a second one
that errs elsewhere is worth more than the runner-up, which is nearly the same blend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from workbench.blending.mix import Chosen, equal
from workbench.blending.result import BlendResult, MethodScore
from workbench.ensembles.blend import AUTO, BlendSettings, result
from workbench.ensembles.choice import Trained, choose, compare
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit, NotApplicable
from workbench.ensembles.pipeline import Pipeline
from workbench.metrics import Array, labels
from workbench.types import Needs

TOLERANCE = 2.0
"""Blends so many standard errors (of the difference) behind the best one may still be as good."""


@dataclass(frozen=True)
class Finalist:
    """One proposal. ``agreement``: how much its test predictions say what the first one's say (`agreement`)."""

    name: str
    blend: BlendResult
    score: MethodScore
    agreement: float


@dataclass(frozen=True, kw_only=True)
class Single:
    """One member alone, by its place."""

    simplicity: ClassVar[int] = 100  # a blend comes first where they are equal: a single one is the best of many tried
    place: int
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Return the member as it is."""
        return Fit(Chosen(places=(self.place,), count=len(members), mix=equal(1)))


def propose(
    members: Members, settings: BlendSettings, predict: Callable[[BlendResult], Array]
) -> tuple[tuple[Finalist, ...], tuple[MethodScore, ...]]:
    """Return the blend that `auto` would choose, then what agrees least with it among all that is nearly as good.

    Where none of these differs, the second is the best one that does.

    Compared are all methods on the best and on forward-selected members, and each family's best member alone.

    Args:
        members: Everything that may be blended.
        settings: How; its method is not looked at.
        predict: Gives a blend's predictions of the test table ``(rows, outputs)``.

    Returns:
        One or two finalists, and the table of all that were compared.

    Raises:
        NotApplicable: nothing can be fitted.
    """
    members = members.canonical()
    trained, table = compare(_pipelines(members, settings), members)
    if not trained:
        raise NotApplicable("; ".join(row.failure for row in table))
    rows = {row.method: row for row in table}
    ranked = sorted(trained, key=lambda one: (rows[one.name].behind_best, one.simplicity, one.name))
    best = choose(trained, table)
    near = [best, *(one for one in ranked if _near(rows[one.name]) and one is not best)]
    first = Finalist(best.name, result(members, best, table), rows[best.name], 1.0)
    predicted = predict(first.blend)

    def finalist(one: Trained) -> Finalist:
        blend = result(members, one, table)
        return Finalist(one.name, blend, rows[one.name], agreement(predicted, predict(blend), members.metric.needs))

    others = [other for other in map(finalist, near[1:]) if other.agreement < 1.0]
    second = min(others, key=lambda other: (other.agreement, other.score.behind_best), default=None)
    if second is None:  # a second one costs nothing: the best that differs at all
        rest = (finalist(one) for one in ranked if one not in near)
        second = next((other for other in rest if other.agreement < 1.0), None)
    return (first,) if second is None else (first, second), table


def _near(row: MethodScore) -> bool:
    return row.behind_best <= TOLERANCE * row.behind_best_se


def _pipelines(members: Members, settings: BlendSettings) -> dict[str, Pipeline]:
    every = replace(settings, method=AUTO, options={})
    forward = replace(every, selection="forward")
    found = dict(every.pipelines)
    if len(members) > 2:
        found |= {f"{name}, forward": pipeline for name, pipeline in forward.pipelines.items()}
    template = next(iter(found.values()))
    for place in _leaders(members):
        ref = members.refs[place]
        found[ref.trial] = replace(template, method=Single(place=place), selection="best", bagging="none")
    return found


def _leaders(members: Members) -> list[int]:
    """Return the place of each family's best member."""
    losses = [members.metric.loss(score) for score in members.singles()]
    best: dict[str, int] = {}
    for place in sorted(range(len(members)), key=losses.__getitem__):
        best.setdefault(members.refs[place].family, place)
    return list(best.values())


def agreement(left: Array, right: Array, needs: Needs) -> float:
    """Return how much two predictions ``(rows, outputs)`` say the same, 1 if they are equal.

    Where labels are submitted, the share of rows with the same label; else the correlation by ranks within each output.
    """
    from scipy.stats import rankdata

    if needs == "labels":
        return float(np.mean(labels(left) == labels(right)))
    if np.array_equal(left, right):
        return 1.0
    first, second = (rankdata(part, axis=0).ravel() for part in (left, right))
    if min(first.std(), second.std()) == 0.0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
