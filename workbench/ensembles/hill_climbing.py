"""Hill climbing over weights: the step towards one member that improves most, again and again.

As the package ``hillclimbers`` (Matt OP) does; but members may be added again and removed again, and steps become finer
than one percent. With steps of either sign this is a pattern search along the edges of the simplex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.ensembles.greedy import Greedy
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.ensembles.moves import Exchange, Move, best_exchange, best_move, ranking, settled
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
"""Rounds of such moves, and of exchanges, at most."""

SHARES = np.array([1.0, 0.6, 0.3, 0.1, 0.03])
"""Shares of a member's weight that are given to another."""

GIVERS, TAKERS = 8, 12
"""Members with the most weight that give some, and members that look best that take it."""

VERIFIED = 1 << 21
"""Numbers that are looked at on all rows to decide between what is best on a sample of them."""

SELECTED = 25
"""Members that greedy selection adds for the second start where rows are many, which is where steps take long.

Large steps from one member alone lead astray.
"""

CLOSER = 8
"""At least so many members get the closer look, of many a tenth."""


@dataclass(frozen=True, kw_only=True)
class HillClimbing:
    """Add the best step towards (or away from) one member until none improves, then exchange weight between two.

    It starts at the best member, and at what greedy selection finds; the higher top is taken. In-sample it is never
    worse than the best single member. The weights sum to 1.

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

    def weights(self, exact: Objective, starts: Sequence[Array] = ()) -> Array:
        """Return the weights ``(members,)`` at the top, from ``starts`` or the best member and a selection."""
        count = len(exact)
        if not np.isfinite(exact.singles).any():
            return np.full(count, 1.0 / count)
        screen = exact.sampled(seed=self.seed)
        if not starts:
            best = np.eye(count)[ranking(exact.singles)[0]]
            greedy = Greedy(seed=self.seed) if screen is exact else Greedy(steps=SELECTED, seed=self.seed)
            starts = [best, greedy.weights(exact)]
        tops = [
            self._climbed(exact, start, lambda now: self._screened(exact, screen, now), self.steps) for start in starts
        ]
        return self.finished(exact, screen, min(tops, key=exact))

    def finished(self, exact: Objective, screen: Objective, weights: Array) -> Array:
        """Return the weights ``(members,)`` after exchanges and moves, in turns, while either improves."""
        for _ in range(FINISH):
            after = self._climbed(exact, weights, lambda now: self._exchange(exact, screen, now), FINISH)
            after = self._climbed(exact, after, lambda now: self._last(exact, screen, now), FINISH)
            if after is weights:
                break
            weights = after
        return weights

    def _climbed(
        self, exact: Objective, weights: Array, find: Callable[[Array], Move | Exchange | None], most: int
    ) -> Array:
        """Return the weights after the moves that ``find`` finds, while they improve."""
        least, loss = self.tolerance * abs(float(exact.singles.min())), exact(weights)
        for _ in range(most):
            move = find(weights)
            if move is None or move.loss >= loss - least:
                break
            weights, loss = move.applied(weights), move.loss
        return weights

    def _screened(self, exact: Objective, screen: Objective, weights: Array, steps: Array = FINE[::2]) -> Move | None:
        """Return the best move of a fine look, on the sample, at the members that a coarse look finds best."""
        return best_move(exact, screen, weights, *self._allowed(weights, self._looked_at(screen, weights), steps))

    def _last(self, exact: Objective, screen: Objective, weights: Array) -> Move | None:
        """Return the best move of the finest look, or, of many rows, of the members with weight and those looked at."""
        if screen is exact:
            return self._screened(exact, screen, weights, FINE)
        members = np.union1d(np.flatnonzero(weights), self._looked_at(screen, weights))
        return best_move(exact, screen, weights, *self._allowed(weights, members, LAST), _verified(exact))

    def _exchange(self, exact: Objective, screen: Objective, weights: Array) -> Exchange | None:
        """Return the best exchange between the members with most weight and those that look best."""
        givers = ranking(-weights)[:GIVERS]
        grid = np.meshgrid(givers[weights[givers] > 0.0], self._looked_at(screen, weights)[:TAKERS], SHARES)
        giver, taker, share = (axis.ravel() for axis in grid)
        other = giver != taker
        pairs = giver[other], taker[other]
        amounts = share[other] * weights[pairs[0]]
        return best_exchange(exact, screen, weights, pairs, amounts, _verified(exact))

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


def _verified(exact: Objective) -> int:
    """Return how many of the candidates that are best on a sample are decided between on all rows."""
    return max(4, VERIFIED // max(1, exact.size))
