"""The score of a blend on rows that its weights have not seen."""

from __future__ import annotations

import numpy as np

from workbench.ensembles.members import Blender, Members
from workbench.metrics import Array


def nested_score(method: Blender, members: Members) -> tuple[float, float]:
    """Return mean and standard error over splits of a blend whose weights never saw the split that scores it.

    For each split, weights are fitted on every row that the split does not validate, by the row's index in the table:
    with repeats, no other repeat's prediction of a held-out row is fitted on either. Where that leaves nothing (a plan
    of one split) the weights are equal. This corrects for the fitting of weights, not for the choice of trials.
    Splits on which the metric is not defined are left out; NaN if it is defined on none.
    """
    parts = [part for part, defined in zip(members.slices, members.defined, strict=True) if defined]
    if not parts:
        return float("nan"), 0.0
    scores = np.array([_held_out(method, members, part) for part in parts])
    error = float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
    return float(scores.mean()), error


def _held_out(method: Blender, members: Members, part: slice) -> float:
    outside = ~np.isin(members.row, members.row[part])
    weights = method.fit(members.rows_where(outside)) if outside.any() else _equal(len(members))
    inside = np.zeros(len(members.row), dtype=bool)
    inside[part] = True
    held_out = members.rows_where(inside)
    return held_out.score(held_out.blend(weights))


def _equal(count: int) -> Array:
    return np.full(count, 1.0 / count)
