"""What a blender sees: the out-of-fold predictions of some trials, on one fold plan, and the metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from workbench.errors import NothingToDeliver, StoreError
from workbench.metrics import Array, Metric
from workbench.types import Values, trial_name


@dataclass(frozen=True)
class Candidate:
    """A trial that may be blended. ``score`` and ``score_se`` are the trial's own, in the metric's units."""

    family: str
    number: int
    fit_key: str
    plan_key: str
    score: float
    score_se: float
    values: Values

    @property
    def trial(self) -> str:
        """The trial's name, such as ``lightgbm#0017``."""
        return trial_name(self.family, self.number)


@dataclass(frozen=True)
class Members:
    """Out-of-fold predictions of the validation rows of every split, one split after the other in plan order.

    A row that several repeats validate occurs once for each.

    Attributes:
        refs: The members, in the order of ``predictions``.
        predictions: float64 ``(members, rows, outputs)``.
        y: Targets or class codes ``(rows,)``.
        weight: ``None`` or row weights ``(rows,)``.
        split: Split that validated each row, ``(rows,)``, never falling.
        row: Index of each row in the training table, ``(rows,)``.
        metric: The metric that is blended for.
        plan_key: Key of the one fold plan on which all were evaluated.
    """

    refs: tuple[Candidate, ...]
    predictions: Array
    y: Array
    weight: Array | None
    split: Array
    row: Array
    metric: Metric
    plan_key: str

    def __len__(self) -> int:
        return len(self.refs)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The rows of each split that has any, in plan order."""
        starts = (
            np.flatnonzero(np.r_[True, self.split[1:] != self.split[:-1]]) if len(self.split) else np.array([], int)
        )
        ends = np.r_[starts[1:], len(self.split)]
        return tuple(slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True))

    def blend(self, weights: Array) -> Array:
        """Return the weighted average ``(rows, outputs)`` under ``weights`` of shape ``(members,)``."""
        count, rows, outputs = self.predictions.shape
        mixed: Array = (weights @ self.predictions.reshape(count, rows * outputs)).reshape(rows, outputs)
        return mixed

    @cached_property
    def defined(self) -> Array:
        """Say of each split that has rows whether the metric can score it, ``(splits,)``: some member has a score.

        A part of a split may hold one class alone, of which AUC says nothing. What says nothing of anyone is left out
        for all alike; a member without a score where others have one stays without.
        """
        scores = np.array([self.scores(prediction) for prediction in self.predictions])
        some: Array = np.isfinite(scores).any(axis=0)
        return some

    def scores(self, prediction: Array) -> Array:
        """Return the metric of ``prediction`` of shape ``(rows, outputs)`` on each split that has rows."""
        weight = self.weight
        return np.array(
            [self.metric(self.y[s], prediction[s], None if weight is None else weight[s]) for s in self.slices]
        )

    def score(self, prediction: Array) -> float:
        """Return the mean of the metric over the splits where it is `defined`; NaN if there are none.

        For one member's own predictions on every row, this is the score of its trial.
        """
        return float(self.scores(prediction)[self.defined].mean()) if self.defined.any() else float("nan")

    def singles(self) -> Array:
        """Return the score of each member alone, ``(members,)``."""
        return np.array([self.score(prediction) for prediction in self.predictions])

    def rows_where(self, keep: Array) -> Members:
        """Return the same members on the rows where the boolean ``keep`` of shape ``(rows,)`` holds."""
        return Members(
            refs=self.refs,
            predictions=self.predictions[:, keep],
            y=self.y[keep],
            weight=None if self.weight is None else self.weight[keep],
            split=self.split[keep],
            row=self.row[keep],
            metric=self.metric,
            plan_key=self.plan_key,
        )


class Blender(Protocol):
    """An ensemble method: weights of the members. Registered in the group ``ensembles``."""

    def fit(self, members: Members) -> Array:
        """Return weights ``(members,)``, none negative, that sum to 1."""
        ...


def gather(
    candidates: Sequence[Candidate],
    oof: Callable[[str], Sequence[Array]],
    *,
    validate: Sequence[Array],
    y: Array,
    weight: Array | None,
    metric: Metric,
    plan_key: str,
) -> Members:
    """Read the members' out-of-fold predictions and join them on the plan's rows.

    Args:
        candidates: The trials, at least one.
        oof: Gives the predictions of a fit key, an array ``(validated rows, outputs)`` a split: `Vault.oof`.
        validate: Validation rows of each split of the plan, indices into the training table.
        y: Targets or class codes of the whole training table ``(table rows,)``.
        weight: Row weights of the whole training table, or ``None``.
        metric: The metric that is blended for.
        plan_key: Key of the fold plan.

    Raises:
        NothingToDeliver: There are no candidates.
        StoreError: A trial was evaluated on another plan, or its predictions do not fit the plan.
    """
    if not candidates:
        raise NothingToDeliver("nothing to blend: no trial is complete")
    strangers = [f"{c.trial} on plan {c.plan_key}" for c in candidates if c.plan_key != plan_key]
    if strangers:
        raise StoreError(
            f"cannot blend trials of different fold plans: expected plan {plan_key}, got {', '.join(strangers)}; "
            "run these families again on the experiment's plan"
        )
    predictions = [_joined(candidate, oof(candidate.fit_key), validate) for candidate in candidates]
    widths = {c.trial: p.shape[1] for c, p in zip(candidates, predictions, strict=True)}
    if len(set(widths.values())) > 1:
        raise StoreError(f"cannot blend predictions of different widths: {widths}")
    row = np.concatenate([np.asarray(rows, dtype=np.int64) for rows in validate])
    return Members(
        refs=tuple(candidates),
        predictions=np.stack(predictions),
        y=y[row],
        weight=None if weight is None else weight[row],
        split=np.repeat(np.arange(len(validate)), [len(rows) for rows in validate]),
        row=row,
        metric=metric,
        plan_key=plan_key,
    )


def _joined(candidate: Candidate, oof: Sequence[Array], validate: Sequence[Array]) -> Array:
    received, expected = [len(part) for part in oof], [len(rows) for rows in validate]
    if received != expected:
        raise StoreError(
            f"{candidate.trial}: out-of-fold predictions {candidate.fit_key} do not fit the fold plan: expected rows "
            f"{expected} by split, got {received}; remove this entry from the vault and run again"
        )
    joined: np.ndarray[Any, np.dtype[np.float64]] = np.concatenate(list(oof)).astype(np.float64, copy=False)
    if not np.isfinite(joined).all():
        raise StoreError(
            f"{candidate.trial}: out-of-fold predictions {candidate.fit_key} hold "
            f"{int((~np.isfinite(joined)).sum())} values that are not finite; leave this trial out of the blend"
        )
    return joined
