"""Many losses at once: a metric of thousands of blended predictions, exact and without large temporaries.

A scorer gives what `Metric.__call__` gives on every split. It takes predictions in a *reduced* form, ``(candidates,
planes, rows)``, of which it needs no more than the metric looks at: log loss keeps the probability of the true class
alone. Reducing commutes with weighted averages of weights that sum to 1, so that members are reduced once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from workbench.ensembles.confusion import SCORES
from workbench.metrics import AUC, LOG_LOSS, MAE, RMSE, Array, Metric

BLOCK = 1 << 20
"""Numbers that candidates evaluated together may hold, 8 MiB: with fewer, the calls cost more than the numbers."""


class Scorer(ABC):
    """The losses of candidate predictions on every split.

    Attributes:
        metric: The metric; its loss is less where it is better.
        y: Targets or class codes ``(rows,)``.
        weight: ``None`` or row weights ``(rows,)``.
        slices: The rows of each split.
    """

    def __init__(self, metric: Metric, y: Array, weight: Array | None, slices: Sequence[slice]) -> None:
        self.metric, self.y, self.weight, self.slices = metric, y, weight, tuple(slices)
        self._weights = [None if weight is None else weight[s] for s in self.slices]

    def reduce(self, predictions: Array) -> Array:
        """Return predictions ``(candidates, rows, outputs)`` as ``(candidates, planes, rows)``; a view if possible."""
        return np.moveaxis(predictions, 2, 1)

    @abstractmethod
    def by_split(self, reduced: Array) -> Array:
        """Return the losses ``(candidates, splits)`` of reduced predictions; infinite where the metric says nothing."""

    def _joined(self, reduced: Array, losses: Callable[[int, Array], Array]) -> Array:
        """Join the losses ``(candidates,)`` of each split: ``losses`` is given its place and its rows' predictions."""
        joined = np.empty((len(reduced), len(self.slices)))
        for split, rows in enumerate(self.slices):
            joined[:, split] = losses(split, reduced[:, :, rows])
        return joined

    def losses(self, base: Array, members: Array, steps: Array) -> Array:
        """Return the loss of ``(1 - s) * base + s * member`` for each member and step, ``(members, steps)``.

        Args:
            base: ``(rows, outputs)``.
            members: ``(members, rows, outputs)``.
            steps: ``(steps,)``.
        """
        reduced, origin = self.reduce(members), self.reduce(base[None])[0]
        pairs = [np.arange(len(members)).repeat(len(steps)), np.tile(steps, len(members))]
        found = [
            self.by_split(moved(origin, reduced, *(part[piece] for part in pairs))).mean(axis=1)
            for piece in pieces(len(pairs[0]), origin.size)
        ]
        return np.concatenate(found).reshape(len(members), len(steps))

    def sample(self, size: int, generator: np.random.Generator) -> Array:
        """Return the indices of about ``size`` rows, in order, of which every split has its share.

        The metric of them is near that of all rows.
        """
        share = size / max(1, len(self.y))
        return np.sort(np.concatenate([self._drawn(np.arange(s.start, s.stop), share, generator) for s in self.slices]))

    @staticmethod
    def _drawn(rows: Array, share: float, generator: np.random.Generator) -> Array:
        count = min(len(rows), int(np.ceil(share * len(rows))))
        return generator.choice(rows, count, replace=False)


def scorer(metric: Metric, y: Array, weight: Array | None, slices: Sequence[slice]) -> Scorer:
    """Return the fastest exact scorer of a metric: the metric itself for what has none of its own."""
    kind: type[Scorer] = _Plain
    if metric.function is AUC.function and weight is None:
        kind = _Auc
    elif metric.function is LOG_LOSS.function:
        kind = _LogLoss
    elif metric.function in (RMSE.function, MAE.function):
        kind = _Values
    elif metric.function in SCORES and (weight is None or bool((weight > 0.0).all())):
        kind = _Labels
    return kind(metric, y, weight, slices)


def moved(base: Array, members: Array, which: Array, steps: Array) -> Array:
    """Return ``(1 - s) * base + s * members[m]`` for pairs of ``which`` and ``steps``: ``(pairs, planes, rows)``."""
    step = steps[:, None, None]
    candidates: Array = members[which].astype(np.float64, copy=False)
    candidates *= step
    candidates += (1.0 - step) * base
    return candidates


def pieces(count: int, size: int, least: int = 1) -> list[slice]:
    """Return slices of ``count`` candidates of ``size`` numbers each: each holds `BLOCK` numbers, or one candidate.

    There are ``least`` of them, where there are as many candidates.
    """
    each = max(1, min(BLOCK // max(1, size), -(-count // least)))
    return [slice(start, min(start + each, count)) for start in range(0, count, each)]


class _Plain(Scorer):
    """The metric itself."""

    def by_split(self, reduced: Array) -> Array:
        return self._joined(reduced, self._on)

    def _on(self, split: int, reduced: Array) -> Array:
        y, weight = self.y[self.slices[split]], self._weights[split]
        return np.array([self.metric.loss(self.metric(y, prediction.T, weight)) for prediction in reduced])


class _Auc(Scorer):
    """Area under the ROC curve from one sort: the class is put below a probability's last bit.

    A probability is a double of [0, 2), whose first two bits are 0, so that shifting leaves room for the class and
    whole numbers sort as the probabilities do. What lies outside (negative weights lead there) is left to the metric.
    """

    def __init__(self, metric: Metric, y: Array, weight: Array | None, slices: Sequence[slice]) -> None:
        super().__init__(metric, y, weight, slices)
        self._classes = (y == 1).astype(np.uint64)
        self._positives = [int(self._classes[rows].sum()) for rows in self.slices]

    def by_split(self, reduced: Array) -> Array:
        p = reduced[:, 0]
        if p.size == 0 or p.min() < 0.0 or p.max() >= 2.0:
            return self._joined(reduced, self._outside)
        keys = (p + 0.0).view(np.uint64)  # + 0.0: a negative zero is a zero
        keys <<= np.uint64(1)
        keys |= self._classes
        joined = np.empty((len(keys), len(self.slices)))
        for split, (rows, positives) in enumerate(zip(self.slices, self._positives, strict=True)):
            joined[:, split] = self._losses(keys[:, rows], positives)
        return joined

    def _outside(self, split: int, reduced: Array) -> Array:
        y = self.y[self.slices[split]]
        return np.array([self.metric.loss(self.metric.function(y, p, None)) for p in reduced[:, 0]])

    def _losses(self, keys: Array, positives: int) -> Array:
        pairs = positives * (keys.shape[1] - positives)
        if pairs == 0:
            return np.full(len(keys), np.inf)
        keys.sort(axis=1)
        ups = (keys.astype(np.uint8) & np.uint8(1)).view(np.bool_)  # six times as fast as to look at whole numbers
        places = ups.ravel().nonzero()[0].reshape(len(keys), positives)
        before = np.arange(len(keys)) * (keys.shape[1] * positives)
        below = 2 * (places.sum(axis=1) - before) - positives * (positives - 1)
        ties = (keys[:, 1:] ^ keys[:, :-1]) == 1
        for candidate in ties.any(axis=1).nonzero()[0]:
            below[candidate] -= _tied(keys[candidate], np.flatnonzero(ties[candidate]) + 1)
        losses: Array = self.metric.loss(1.0) * (below / (2 * pairs))
        return losses

    def sample(self, size: int, generator: np.random.Generator) -> Array:
        """Draw as many of the rarer class as of the other, if there are: AUC does not depend on their ratio."""
        drawn = []
        for s in self.slices:
            up = self._classes[s] == 1
            half = size * (s.stop - s.start) / max(1, len(self.y)) / 2.0
            few = min(half, up.sum(), (~up).sum())
            for rows in (s.start + np.flatnonzero(up), s.start + np.flatnonzero(~up)):
                wanted = half if len(rows) > few else few
                drawn.append(self._drawn(rows, min(1.0, wanted / max(1, len(rows))), generator))
        return np.sort(np.concatenate(drawn))


def _tied(keys: Array, ups: Array) -> int:
    """Return how many pairs of both classes are equal; ``ups`` are the first positives of each such value."""
    first = np.searchsorted(keys, keys[ups] & ~np.uint64(1), "left")
    last = np.searchsorted(keys, keys[ups], "right")
    return int(((ups - first) * (last - ups)).sum())


class _LogLoss(Scorer):
    """Log loss of the true class' probability; where rows do not sum to 1, their sum is kept beside it."""

    def reduce(self, predictions: Array) -> Array:
        if predictions.shape[2] == 1:
            p = predictions[:, :, 0]
            return np.where(self.y == 1, p, 1.0 - p)[:, None]
        true = np.take_along_axis(predictions, self.y.astype(np.int64)[None, :, None], axis=2)[:, :, 0]
        whole = predictions.sum(axis=2)
        if np.abs(whole - 1.0).max(initial=0.0) < 1e-14:
            return np.ascontiguousarray(true)[:, None]
        return np.stack([true, whole], axis=1)

    def by_split(self, reduced: Array) -> Array:
        return self._joined(reduced, self._on)

    def _on(self, split: int, reduced: Array) -> Array:
        chosen = reduced[:, 0] / reduced[:, 1] if reduced.shape[1] == 2 else reduced[:, 0]
        clipped = np.clip(chosen, np.finfo(np.float64).eps, 1.0)
        np.log(clipped, out=clipped)
        return -np.average(clipped, axis=1, weights=self._weights[split])


class _Values(Scorer):
    """Root mean squared and mean absolute error."""

    def by_split(self, reduced: Array) -> Array:
        return self._joined(reduced, self._on)

    def _on(self, split: int, reduced: Array) -> Array:
        errors = reduced[:, 0] - self.y[self.slices[split]]
        if self.metric.function is MAE.function:
            return np.average(np.abs(errors, out=errors), axis=1, weights=self._weights[split])
        return np.sqrt(np.average(np.square(errors, out=errors), axis=1, weights=self._weights[split]))


class _Labels(Scorer):
    """Metrics of labels from the confusion matrices of the classes."""

    def __init__(self, metric: Metric, y: Array, weight: Array | None, slices: Sequence[slice]) -> None:
        super().__init__(metric, y, weight, slices)
        self._y = y.astype(np.int64)
        self._split = np.full(len(y), len(self.slices))  # of rows of no split: beyond the last
        for split, rows in enumerate(self.slices):
            self._split[rows] = split
        self._cells: dict[int, Array] = {}

    def by_split(self, reduced: Array) -> Array:
        size, splits = max(int(self._y.max(initial=1)) + 1, reduced.shape[1]), len(self.slices)
        cells = self._first_cells(size) + _codes(reduced)
        count = (splits + 1) * size**2
        tables = np.array([np.bincount(own, weights=self.weight, minlength=count) for own in cells], dtype=np.float64)
        of_splits = tables.reshape(-1, splits + 1, size, size)[:, :splits].reshape(-1, size, size)
        scores = SCORES[self.metric.function](of_splits)
        return np.array([self.metric.loss(float(score)) for score in scores]).reshape(len(reduced), splits)

    def _first_cells(self, size: int) -> Array:
        """Return where each row's split and true class begin among all cells of all splits, ``(rows,)``."""
        if size not in self._cells:
            kind = np.min_scalar_type((len(self.slices) + 1) * size**2)
            self._cells[size] = ((self._split * size + self._y) * size).astype(kind)
        return self._cells[size]


def _codes(reduced: Array) -> Array:
    """Return `metrics.labels` of reduced predictions: ``(candidates, rows)``, the first of equal classes.

    Plane after plane, without branches: several times as fast as ``argmax``.
    """
    if reduced.shape[1] == 1:
        return (reduced[:, 0] > 0.5).view(np.uint8)
    kind = np.min_scalar_type(reduced.shape[1])
    highest, codes = reduced[:, 0].copy(), np.zeros((len(reduced), reduced.shape[2]), dtype=kind)
    for code in range(1, reduced.shape[1]):
        plane = reduced[:, code]
        np.maximum(codes, (plane > highest) * kind.type(code), out=codes)
        np.maximum(highest, plane, out=highest)
    return codes
