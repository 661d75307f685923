"""What an ensemble method sees: the out-of-fold predictions of some trials, on one fold plan, and the metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import TypeVar

import numpy as np

from workbench.ensembles.threads import cores
from workbench.errors import NothingToDeliver, StoreError
from workbench.metrics import Array, Metric
from workbench.types import Scalar, trial_name

Made = TypeVar("Made")

HASHED = 4096
"""Rows by which members are told apart, where these differ."""

THREADED = 1 << 22
"""Bytes from which threads are worth their start."""


@dataclass(frozen=True)
class Candidate:
    """A trial that may be blended. ``score`` and ``score_se`` are the trial's own, in the metric's units."""

    family: str
    number: int
    fit_key: str
    plan_key: str
    score: float
    score_se: float
    values: dict[str, Scalar] = field(default_factory=dict)

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
        predictions: Floats ``(members, rows, outputs)``.
        y: Targets or class codes ``(rows,)``.
        weight: ``None`` or row weights ``(rows,)``.
        split: Split that validated each row, ``(rows,)``, never falling.
        row: Index of each row in the training table, ``(rows,)``.
        metric: The metric that is blended for.
        plan_key: Key of the one fold plan on which all were evaluated.
        classification: Whether predictions are probabilities.
        features: ``None`` or raw features ``(rows, columns)`` for stacks that look at them; NaN where one is missing.
    """

    refs: tuple[Candidate, ...]
    predictions: Array
    y: Array
    weight: Array | None
    split: Array
    row: Array
    metric: Metric
    plan_key: str
    classification: bool = False
    features: Array | None = None

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

    @property
    def outputs(self) -> int:
        """The width of a prediction: 1, or the number of classes of a multiclass task."""
        return int(self.predictions.shape[2])

    @cached_property
    def mass(self) -> Array:
        """How much each row counts, ``(rows,)``, 1 in all: ``mass @ losses`` is the mean over splits of mean losses.

        Rows of splits that the metric cannot score count nothing.
        """
        mass = np.zeros(len(self.row))
        for part, defined in zip(self.slices, self.defined, strict=True):
            weight = np.ones(part.stop - part.start) if self.weight is None else self.weight[part]
            if defined and (total := weight.sum()) > 0.0:
                mass[part] = weight / total
        total = mass.sum()
        return mass / total if total > 0.0 else np.full(len(mass), 1.0 / max(1, len(mass)))

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
        some = np.zeros(len(self.slices), dtype=bool)
        for prediction in self.predictions:
            if some.all():
                break
            some |= np.isfinite(self.scores(prediction))
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
        return self._singles

    @cached_property
    def _singles(self) -> Array:
        scores = np.array([self.score(prediction) for prediction in self.predictions])
        scores.flags.writeable = False  # everybody is given the same one
        return scores

    def rows_where(self, keep: Array) -> Members:
        """Return the same members on the rows where the boolean ``keep`` of shape ``(rows,)`` holds."""
        return replace(
            self,
            predictions=self.predictions[:, keep],
            y=self.y[keep],
            weight=None if self.weight is None else self.weight[keep],
            split=self.split[keep],
            row=self.row[keep],
            features=None if self.features is None else self.features[keep],
        )

    def drawn(self, share: float, generator: np.random.Generator) -> Array:
        """Say of each row whether it is among a random ``share`` of the table's, with all its repeats, ``(rows,)``."""
        known, place = np.unique(self.row, return_inverse=True)
        chosen: Array = (generator.random(len(known)) < share)[place]
        return chosen

    def outside(self, part: slice) -> Array:
        """Say of each row whether it may be fitted on before ``part`` is scored, ``(rows,)``.

        By the row's index in the table: what another repeat predicted for a row of ``part`` is not outside either.
        """
        found: Array = ~np.isin(self.row, self.row[part])
        return found

    def take(self, order: Sequence[int] | Array) -> Members:
        """Return the members ``order`` alone, in this order, on the same rows."""
        places = [int(i) for i in order]
        taken = np.empty((len(places), *self.predictions.shape[1:]), dtype=self.predictions.dtype)

        def copy(place: int) -> None:
            taken[place] = self.predictions[places[place]]

        _in_threads(copy, range(len(places)), taken.nbytes)
        return replace(self, refs=tuple(self.refs[i] for i in places), predictions=taken)

    def canonical(self) -> Members:
        """Return the members in the order of their content, equal ones once: under the first of their names.

        So neither the order in which members come nor duplicates of them change what is fitted.
        """
        digests = _digests(self.predictions)
        named = sorted(range(len(self)), key=lambda i: (digests[i], self.refs[i].family, self.refs[i].number))
        order = [i for place, i in enumerate(named) if place == 0 or digests[i] != digests[named[place - 1]]]
        return self if order == list(range(len(self))) else self.take(order)


def _digests(predictions: Array) -> list[tuple[bytes, bytes]]:
    """Return what tells members' contents apart: of a sample of the rows, then of all where samples are equal.

    To hash some of the rows of 200 members takes milliseconds, to hash a million rows of each seconds.
    """
    step = max(1, predictions.shape[1] // HASHED)
    samples = [_digest(prediction[::step]) for prediction in predictions]
    twice = {digest for digest, times in Counter(samples).items() if times > 1} if step > 1 else set[bytes]()
    alike = [i for i, digest in enumerate(samples) if digest in twice]
    whole = _in_threads(lambda i: _digest(predictions[i]), alike, len(alike) * predictions[:1].nbytes)
    of_all = dict(zip(alike, whole, strict=True))
    return [(digest, of_all.get(i, b"")) for i, digest in enumerate(samples)]


def _digest(prediction: Array) -> bytes:
    return blake2b(np.ascontiguousarray(prediction).data, digest_size=16).digest()


def _in_threads(function: Callable[[int], Made], places: Sequence[int], size: int) -> list[Made]:
    """Return ``function`` of every place; in threads where ``size`` bytes are worth it."""
    if size < THREADED:
        return [function(place) for place in places]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(function, places))


def gather(
    candidates: Sequence[Candidate],
    oof: Callable[[str], Sequence[Array] | Array],
    *,
    validate: Sequence[Array],
    y: Array,
    weight: Array | None,
    metric: Metric,
    plan_key: str,
    classification: bool = False,
    features: Array | None = None,
) -> Members:
    """Read the members' out-of-fold predictions and join them on the plan's rows.

    Args:
        candidates: The trials, at least one.
        oof: Gives the predictions of a fit key: an array ``(validated rows, outputs)`` a split (`Vault.oof`), or the
            one array that `joined` makes of them.
        validate: Validation rows of each split of the plan, indices into the training table.
        y: Targets or class codes of the whole training table ``(table rows,)``.
        weight: Row weights of the whole training table, or ``None``.
        metric: The metric that is blended for.
        plan_key: Key of the fold plan.
        classification: Whether predictions are probabilities.
        features: Raw features of the whole training table ``(table rows, columns)``, or ``None``.

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
    predictions = [
        part if isinstance(part := oof(candidate.fit_key), np.ndarray) else joined(candidate, part, validate)
        for candidate in candidates
    ]
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
        classification=classification,
        features=None if features is None else features[row],
    )


def joined(candidate: Candidate, oof: Sequence[Array], validate: Sequence[Array]) -> Array:
    """Return a member's out-of-fold predictions as one array ``(rows, outputs)``, split after split.

    Raises:
        StoreError: They do not fit the plan, or are not all finite.
    """
    received, expected = [len(part) for part in oof], [len(rows) for rows in validate]
    if received != expected:
        raise StoreError(
            f"{candidate.trial}: out-of-fold predictions {candidate.fit_key} do not fit the fold plan: expected rows "
            f"{expected} by split, got {received}; remove this entry from the vault and run again"
        )
    values: Array = np.concatenate(list(oof)).astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        raise StoreError(
            f"{candidate.trial}: out-of-fold predictions {candidate.fit_key} hold "
            f"{int((~np.isfinite(values)).sum())} values that are not finite; leave this trial out of the blend"
        )
    return values
