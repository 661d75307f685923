"""Hill climbing over weights: the step towards one member that improves most, again and again.

As the package ``hillclimbers`` (Matt OP) does; but members may be added again and removed again, and steps become finer
than one percent. With steps of either sign this is a pattern search along the edges of the simplex.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.ensembles.moves import Move, best_move, ranking, settled
from workbench.ensembles.objective import Objective
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array

COARSE = np.array([0.03, 0.1, 0.3])
"""Steps by which it is seen which members are worth a closer look."""

FINE = np.r_[0.001, 0.002, 0.005, np.arange(0.01, 0.1, 0.01), np.arange(0.1, 0.51, 0.025)]
"""Steps that are tried for these."""

LAST = np.array([0.003, 0.02, 0.15])
"""Steps that are tried on all rows when a sample of them finds nothing better."""

FINISH = 10
"""Moves on all rows at most."""

CLOSER = 8
"""At least so many members get the closer look, of many a tenth."""


@dataclass(frozen=True, kw_only=True)
class HillClimbing:
    """Start at the best member and add the best step towards (or away from) one member until none improves.

    In-sample it is never worse than the best single member. The weights sum to 1.

    Attributes:
        negative: Whether weights may become negative: what a member predicts too much is taken away.
        steps: Moves at most.
        tolerance: The least gain of a move, as a share of the best member's loss.
        seed: Seed of the sample of rows on which moves are screened, where rows are many.
    """

    simplicity: ClassVar[int] = 5
    negative: bool = False
    steps: int = 200
    tolerance: float = 1e-6
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Find weights that sum to 1, none negative unless ``negative``."""
        with one_blas_thread():
            exact = Objective.of(members)
            return settled(members, exact, self.weights(exact))

    def weights(self, exact: Objective, start: Array | None = None) -> Array:
        """Return the weights ``(members,)`` at the top, from ``start`` or the best member."""
        count = len(exact)
        if not np.isfinite(exact.singles).any():
            return np.full(count, 1.0 / count)
        weights = np.eye(count)[ranking(exact.singles)[0]] if start is None else start
        screen = exact.sampled(seed=self.seed)
        weights = self._climbed(exact, weights, lambda now: self._screened(exact, screen, now), self.steps)
        if screen is not exact:
            weights = self._climbed(exact, weights, lambda now: self._exact(exact, screen, now), FINISH)
        return weights

    def _climbed(self, exact: Objective, weights: Array, find: Callable[[Array], Move | None], most: int) -> Array:
        """Return the weights after the moves that ``find`` finds, while they improve."""
        least, loss = self.tolerance * abs(float(exact.singles.min())), exact(weights)
        for _ in range(most):
            move = find(weights)
            if move is None or move.loss >= loss - least:
                break
            weights, loss = move.applied(weights), move.loss
        return weights

    def _screened(self, exact: Objective, screen: Objective, weights: Array) -> Move | None:
        """Return the best move of a fine look, on the sample, at the members that a coarse look finds best."""
        members = self._looked_at(screen, weights)
        steps = FINE if screen is exact else FINE[::2]  # a sample cannot tell neighbours apart
        return best_move(exact, screen, weights, *self._allowed(weights, members, steps))

    def _exact(self, exact: Objective, screen: Objective, weights: Array) -> Move | None:
        """Return the best move, on all rows, of the members with weight and those that look best on the sample."""
        members = np.union1d(np.flatnonzero(weights), self._looked_at(screen, weights))
        return best_move(exact, exact, weights, *self._allowed(weights, members, LAST))

    def _looked_at(self, screen: Objective, weights: Array) -> Array:
        """Return the members whose best coarse move is best, in this order."""
        which, steps = self._allowed(weights, np.arange(len(screen)), COARSE)
        order = ranking(screen.moves(weights, which, steps))
        _, first = np.unique(which[order], return_index=True)
        looked: Array = which[order][np.sort(first)][: max(CLOSER, len(screen) // 10)]
        return looked

    def _allowed(self, weights: Array, members: Array, steps: Array) -> tuple[Array, Array]:
        """Return the moves of ``members`` by steps of either sign that lead to weights that may be."""
        away = np.r_[-steps[::-1], steps]
        which, step = members.repeat(len(away)), np.tile(away, len(members))
        if self.negative:
            return which, step
        with np.errstate(divide="ignore"):
            removal = np.where(weights < 1.0, -weights / (1.0 - weights), 0.0)  # the step that takes a member out
        removed = members[(weights[members] > 0.0) & (weights[members] < 1.0)]
        inside = (step > 0.0) | (step > removal[which])
        return np.r_[which[inside], removed], np.r_[step[inside], removal[removed]]
