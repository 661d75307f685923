"""The score of a blend on rows that nothing of it has seen: not its weights, its calibration or its decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import equal
from workbench.ensembles.members import Members
from workbench.metrics import Array

Fits = Callable[[Members], FittedBlend]
"""Fits everything of a blend on some rows; the blend takes the predictions of all the members."""


@dataclass(frozen=True)
class Nested:
    """Predictions of each row by a blend that was fitted without it, and their score.

    ``scores`` has one entry a split that has rows; NaN where the metric is not defined. ``undecided`` is the same of
    the same blends without their decisions; ``None`` where none of them has one.
    """

    predictions: Array
    scores: Array
    undecided: Nested | None = None

    @property
    def score(self) -> float:
        """The mean over splits; NaN where the metric is defined on none."""
        known = self.scores[np.isfinite(self.scores)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def error(self) -> float:
        """The standard error of the mean over splits; 0 of a single one."""
        known = self.scores[np.isfinite(self.scores)]
        return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else 0.0


def nest(fits: Fits, members: Members) -> Nested:
    """Predict each split's rows by a blend that was fitted on every row that the split does not validate.

    By the row's index in the table: with repeats, no other repeat's prediction of a held-out row is fitted on either.
    Where that leaves nothing (a plan of one split) the weights are equal. This corrects for the fitting of weights,
    calibration and decision, not for the choice of trials.
    """
    plain = np.empty(members.predictions.shape[1:])
    predictions, decided = np.empty_like(plain), False
    for part, defined in zip(members.slices, members.defined, strict=True):
        features = None if members.features is None else members.features[part]
        blend = _outside(fits, members, part) if defined else _plain(members)
        plain[part] = blend.undecided(members.predictions[:, part], features)
        predictions[part] = blend.decide(plain[part])
        decided |= blend.decision is not None
    undecided = _scored(members, plain)
    return replace(_scored(members, predictions), undecided=undecided) if decided else undecided


def _scored(members: Members, predictions: Array) -> Nested:
    return Nested(predictions, np.where(members.defined, members.scores(predictions), np.nan))


def _outside(fits: Fits, members: Members, part: slice) -> FittedBlend:
    outside = members.outside(part)
    return fits(members.rows_where(outside)) if outside.any() else _plain(members)


def _plain(members: Members) -> FittedBlend:
    return FittedBlend(mix=equal(len(members)), probabilities=members.classification)
