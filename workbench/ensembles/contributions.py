"""What each of several groups of members adds to a blend of all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from workbench.ensembles.members import Members
from workbench.ensembles.method import NotApplicable, make_method

METHODS = ("convex", "mean")
"""What blends are fitted with; the better one counts. Best weights never lose by a useless member, where the metric is
convex; of others they are best for what stands in for it, and the mean may be better."""


class Group(NamedTuple):
    """Places of a group's members: the best ones of now, and those that were the best before its last members came."""

    now: tuple[int, ...]
    before: tuple[int, ...]


class Contribution(NamedTuple):
    """What a group adds, in the metric's units oriented so that more is better; neither is below 0."""

    gain: float
    """The blend's loss without the group minus that with it, in-sample."""
    growth: float
    """So much of the blend's loss has gone since `Group.before`."""


def contributions(members: Members, groups: Mapping[str, Group]) -> dict[str, Contribution]:
    """Return what each group adds to the blend of all groups' members of now; empty if fewer than two have any."""
    present = {name: group for name, group in groups.items() if group.now}
    if len(present) < 2:
        return {}
    whole = _loss(members, (place for group in present.values() for place in group.now))
    found = {}
    for name, group in present.items():
        others = [place for other, each in present.items() if other != name for place in each.now]
        without = _loss(members, others)
        known = {(): without, group.now: whole}
        before = known[group.before] if group.before in known else _loss(members, [*others, *group.before])
        found[name] = Contribution(*(_above(loss, whole) for loss in (without, before)))
    return found


def _above(loss: float, whole: float) -> float:
    """Return how much a loss is above that of all; 0 where it is not, or one of them is not a number."""
    return max(0.0, loss - whole) if math.isfinite(loss - whole) else 0.0


def _loss(members: Members, places: Iterable[int]) -> float:
    """Return the least loss that any of `METHODS` has."""
    part = members.take(sorted(places)).canonical()
    losses = []
    for name in METHODS:
        with contextlib.suppress(NotApplicable):
            mixed = make_method(name, {}, seed=0).fit(part).mix.apply(part.predictions)
            losses.append(members.metric.loss(part.score(mixed)))
    return min(losses, key=lambda loss: (math.isnan(loss), loss), default=math.nan)
