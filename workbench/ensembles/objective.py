"""The loss of weights: exact on all rows, and of many moves at once.

A *move* goes from weights by a step towards one member: ``(1 - s) * weights + s * unit``. A negative step goes away
from it. Greedy selection and hill climbing are made of moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from workbench.ensembles.members import Members
from workbench.ensembles.scorers import BLOCK, Scorer, moved, pieces, scorer
from workbench.ensembles.threads import cores, over_blocks
from workbench.metrics import RMSE, Array
from workbench.seeds import derive_seed

SAMPLE = 20_000
"""Rows of a sample on which moves are screened: an AUC of them takes 0.3 ms, of a million rows 20 ms."""

CACHED = 1 << 15
"""Numbers that stay in a core's cache while others are added to them."""

THREADED = 1 << 20
"""Numbers from which threads are worth their start."""


class Objective:
    """The mean over splits of a metric's loss, of the weighted average under weights that sum to 1.

    Attributes:
        scorer: Scores reduced predictions.
        reduced: The members' reduced predictions ``(members, planes, rows)``.
    """

    def __init__(self, scorer: Scorer, reduced: Array) -> None:
        self.scorer, self.reduced = scorer, reduced
        self._known: dict[bytes, float] = {}

    @classmethod
    def of(cls, members: Members) -> Objective:
        """Return the loss over ``members``, equal to ``metric.loss(members.score(members.blend(weights)))``."""
        slices = [s for s, defined in zip(members.slices, members.defined, strict=True) if defined]
        scores = scorer(members.metric, members.y, members.weight, slices)
        reduced = scores.reduce(members.predictions)
        return (_Squared if members.metric.function is RMSE.function else Objective)(scores, reduced)

    def __len__(self) -> int:
        return len(self.reduced)

    @cached_property
    def singles(self) -> Array:
        """The loss of each member alone, ``(members,)``."""
        return self._in_threads(lambda piece: self._losses(self.reduced[piece]), len(self))

    @property
    def size(self) -> int:
        """Numbers of one candidate: planes times rows."""
        return int(self.reduced.shape[1] * self.reduced.shape[2])

    def __call__(self, weights: Array) -> float:
        """Return the loss of weights ``(members,)``; what was asked for before is remembered."""
        key = weights.tobytes()
        if key not in self._known:
            self._known[key] = self._evaluate(weights)
        return self._known[key]

    def moves(self, weights: Array, which: Array, steps: Array) -> Array:
        """Return the losses ``(moves,)`` after a step ``steps[i]`` from ``weights`` towards member ``which[i]``."""
        base = self._mixed(weights)
        return self._in_threads(
            lambda piece: self._losses(moved(base, self.reduced, which[piece], steps[piece])), len(which)
        )

    def exchanges(self, weights: Array, givers: Array, takers: Array, amounts: Array) -> Array:
        """Return the losses ``(exchanges,)`` after ``amounts[i]`` of weight went from one member to another."""
        base = self._mixed(weights)

        def losses(piece: slice) -> Array:
            candidates = self.reduced[takers[piece]].astype(np.float64, copy=False)
            candidates -= self.reduced[givers[piece]]
            candidates *= amounts[piece][:, None, None]
            candidates += base
            return self._losses(candidates)

        return self._in_threads(losses, len(givers))

    def sampled(self, seed: int = 0) -> Objective:
        """Return the loss on a sample of the rows: itself where there are few."""
        rows = self.reduced.shape[2]
        if rows <= 1.5 * SAMPLE:
            return self
        own = self.scorer
        drawn = own.sample(SAMPLE, np.random.default_rng(derive_seed(seed, "sample", rows)))
        ends = [np.searchsorted(drawn, [s.start, s.stop]) for s in own.slices]
        weight = None if own.weight is None else own.weight[drawn]
        scores = scorer(own.metric, own.y[drawn], weight, [slice(int(a), int(b)) for a, b in ends])
        return Objective(scores, np.ascontiguousarray(self.reduced[:, :, drawn]))

    def subset(self, which: Array) -> Objective:
        """Return the loss over some of the members."""
        return type(self)(self.scorer, np.ascontiguousarray(self.reduced[which]))

    def _evaluate(self, weights: Array) -> float:
        return float(self._losses(self._mixed(weights)[None])[0])

    def _losses(self, reduced: Array) -> Array:
        if not self.scorer.slices:
            return np.full(len(reduced), np.inf)
        losses: Array = self.scorer.by_split(np.asarray(reduced, dtype=np.float64)).mean(axis=1)
        return losses

    def _mixed(self, weights: Array) -> Array:
        """Return the reduced average ``(planes, rows)``, block by block: what is added to stays in the cache."""
        members = np.flatnonzero(weights)
        planes, rows = self.reduced.shape[1:]
        size = planes * rows
        if len(members) == len(self) and size < THREADED and self.reduced.dtype == np.float64:
            whole: Array = (weights @ self.reduced.reshape(len(self), size)).reshape(planes, rows)
            return whole
        mixed, width = np.zeros((planes, rows)), max(1, CACHED // planes)

        def add(part: slice) -> None:
            share = np.empty((planes, width))
            for start in range(part.start, part.stop, width):
                stop = min(start + width, part.stop)
                for member in members:
                    source = self.reduced[member, :, start:stop]
                    mixed[:, start:stop] += np.multiply(source, weights[member], out=share[:, : stop - start])

        worth = size * len(members) >= 16 * THREADED
        deque(over_blocks(add, slice(0, rows), -(-rows // cores()) if worth else rows), maxlen=0)
        return mixed

    def _in_threads(self, losses: Callable[[slice], Array], count: int) -> Array:
        """Return the losses of ``count`` candidates, piece by piece; NumPy works outside of the interpreter's lock."""
        size = self.reduced[0].size
        threads = cores() if count * size >= THREADED else 1
        parts = pieces(count, size, threads)
        if threads == 1 or len(parts) == 1:
            return np.concatenate([losses(part) for part in parts])
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(losses, parts)))


class _Squared(Objective):
    """Root mean squared error from the products of the members' errors: no row is looked at again."""

    @cached_property
    def _products(self) -> Array:
        """Mean products of errors ``(splits, members, members)``."""
        count = len(self)
        products = np.zeros((len(self.scorer.slices), count, count))
        for total, rows in zip(products, self.scorer.slices, strict=True):
            weight = np.ones(rows.stop - rows.start) if self.scorer.weight is None else self.scorer.weight[rows]
            share = np.sqrt(weight / weight.sum())

            def product(block: slice, share: Array = share, first: int = rows.start) -> Array:
                errors = (self.reduced[:, 0, block] - self.scorer.y[block]) * share[
                    block.start - first : block.stop - first
                ]
                found: Array = errors @ errors.T
                return found

            for part in over_blocks(product, rows, max(1, BLOCK // count)):
                total += part
        return products

    @cached_property
    def singles(self) -> Array:
        """The loss of each member alone, ``(members,)``."""
        return self._mean(np.diagonal(self._products, axis1=1, axis2=2))

    def moves(self, weights: Array, which: Array, steps: Array) -> Array:
        """Return the losses ``(moves,)`` after a step ``steps[i]`` from ``weights`` towards member ``which[i]``."""
        toward = self._products @ weights
        square, keep = toward @ weights, 1.0 - steps
        own = np.diagonal(self._products, axis1=1, axis2=2)[:, which]
        return self._mean(keep**2 * square[:, None] + 2.0 * steps * keep * toward[:, which] + steps**2 * own)

    def exchanges(self, weights: Array, givers: Array, takers: Array, amounts: Array) -> Array:
        """Return the losses ``(exchanges,)`` after ``amounts[i]`` of weight went from one member to another."""
        toward = self._products @ weights
        own = np.diagonal(self._products, axis1=1, axis2=2)
        between = own[:, takers] + own[:, givers] - 2.0 * self._products[:, takers, givers]
        along = toward[:, takers] - toward[:, givers]
        return self._mean((toward @ weights)[:, None] + 2.0 * amounts * along + amounts**2 * between)

    def sampled(self, seed: int = 0) -> Objective:  # noqa: ARG002 - rows cost nothing here
        """Return itself: all rows cost no more than a sample of them."""
        return self

    def _evaluate(self, weights: Array) -> float:
        return float(self._mean((self._products @ weights @ weights)[:, None])[0])

    def _mean(self, squares: Array) -> Array:
        """Return the mean over splits of the roots of ``(splits, candidates)``."""
        if not len(squares):
            return np.full(squares.shape[1], np.inf)
        losses: Array = np.sqrt(np.maximum(squares, 0.0)).mean(axis=0)
        return losses
