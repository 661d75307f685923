"""What each member is worth to a blend: how much worse the nested score would be without it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from workbench.blending.fitted import FittedBlend
from workbench.ensembles.choice import Trained
from workbench.ensembles.convex import Convex
from workbench.ensembles.greedy import Greedy
from workbench.ensembles.members import Members
from workbench.ensembles.method import NotApplicable
from workbench.ensembles.nested import nest
from workbench.ensembles.pipeline import Pipeline
from workbench.seeds import derive_seed

SECONDS = 5.0
"""So long may the gains of all members take."""

PER_NUMBER = 3e-7
"""Seconds that convex weights and a score take for each number of the predictions and each split, on one slow core."""

FEWEST_ROWS = 5_000
"""On fewer rows, differences between blends of nearly the same members are noise."""


class Gains(NamedTuple):
    """The gain of each member, and by whose weights: empty for those of the blend itself."""

    of: tuple[float | None, ...]
    by: str = ""


def member_gains(
    members: Members, chosen: Trained, pipeline: Pipeline, places: Sequence[int], *, seconds: float = SECONDS
) -> Gains:
    """Return how much worse the blend would be without each of the members at ``places``; below 0: better.

    The nested score with all members less the one that the same pipeline comes to, fitted anew, without the member.
    Where that would take too long, both are those of convex weights (of the pipeline's own method, where that is as
    simple), on a sample of the rows. In the metric's units, oriented so that more is better. ``None`` where the score
    is not defined, where there is no other member, and of the last ``places`` for which no time is left.

    Args:
        members: Canonical, those that do not count among them: they may step in.
        chosen: What ``pipeline`` came to on them.
        pipeline: What is fitted anew.
        places: Whose gains, the most important ones first.
        seconds: How long all of this may take.
    """
    deadline = time.perf_counter() + seconds
    if len(members) < 2:
        return Gains((None,) * len(places))
    # Whether it decides was decided with all members: what comes and goes with one of them would be noise.
    own = pipeline if chosen.fitted.blend.decision is not None else replace(pipeline, decide=None)
    if chosen.seconds * len(places) <= seconds:
        return Gains(_differences(members, own, places, _loss(members, chosen.nested.score), chosen.seconds, deadline))
    simple = chosen.simplicity < Greedy.simplicity
    quick = own if simple else replace(own, method=Convex(), bagging="none")
    sample = _sample(members, round(seconds / (len(places) + 1) / (PER_NUMBER * _numbers(members))))
    began = time.perf_counter()
    whole = _nested_loss(sample, quick)
    found = _differences(sample, quick, places, whole, time.perf_counter() - began, deadline)
    return Gains(found, f"{chosen.name if simple else 'convex'}, {len(sample.row):,} rows")


def _numbers(members: Members) -> int:
    """Return how many numbers of a row are looked at, in the fits of all splits."""
    return len(members) * members.outputs * len(members.slices)


def _sample(members: Members, rows: int) -> Members:
    """Return the members on about so many random rows, with all repeats of each."""
    share = max(rows, FEWEST_ROWS) / len(members.row)
    if share >= 1.0:
        return members
    return members.rows_where(members.drawn(share, np.random.default_rng(derive_seed(0, "gains"))))


def _differences(
    members: Members, pipeline: Pipeline, places: Sequence[int], whole: float, cost: float, deadline: float
) -> tuple[float | None, ...]:
    """Return the loss without each member less the ``whole`` one, as long as a fit of ``cost`` seconds ends in time."""
    found: list[float | None] = []
    for place in places:
        if time.perf_counter() + cost > deadline:
            break
        difference = _nested_loss(members.take([i for i in range(len(members)) if i != place]), pipeline) - whole
        found.append(difference if np.isfinite(difference) else None)
    return (*found, *(None,) * (len(places) - len(found)))


def _nested_loss(members: Members, pipeline: Pipeline) -> float:
    def fits(part: Members) -> FittedBlend:
        return pipeline.fit(part).blend

    try:
        return _loss(members, nest(fits, members).score)
    except NotApplicable:  # with fewer members, or as convex weights
        return float("nan")


def _loss(members: Members, score: float) -> float:
    return members.metric.loss(score) if np.isfinite(score) else float("nan")
