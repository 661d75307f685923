"""Which move from some weights is best: looked for on a sample of the rows, decided on all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workbench.blending.weighted import Weighted
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.ensembles.objective import Objective
from workbench.metrics import Array


class Move(NamedTuple):
    """A move and the exact loss that it leads to."""

    member: int
    step: float
    loss: float

    def applied(self, weights: Array) -> Array:
        """Return the weights after the move."""
        after = (1.0 - self.step) * weights
        after[self.member] += self.step
        if self.step < 0.0 and abs(after[self.member]) < 1e-12:
            after[self.member] = 0.0  # the member was removed
        result: Array = after / after.sum()
        return result


class Exchange(NamedTuple):
    """Weight that one member gives to another, and the exact loss that this leads to."""

    giver: int
    taker: int
    amount: float
    loss: float

    def applied(self, weights: Array) -> Array:
        """Return the weights after the exchange."""
        after = weights.copy()
        after[self.giver] = 0.0 if self.amount == weights[self.giver] else after[self.giver] - self.amount
        after[self.taker] += self.amount
        result: Array = after / after.sum()
        return result


def best_move(
    exact: Objective, screen: Objective, weights: Array, which: Array, steps: Array, verified: int = 4
) -> Move | None:
    """Return the best of the moves ``which[i]`` by ``steps[i]``; of equal ones the first. ``None`` if there are none.

    Where ``screen`` is not ``exact`` itself, all moves are ranked by it and the first ``verified`` decided by it.
    """
    if not len(which):
        return None
    best, loss = _decided(
        exact, screen, lambda by, few: by.moves(weights, which[few], steps[few]), len(which), verified
    )
    return Move(int(which[best]), float(steps[best]), loss)


def best_exchange(
    exact: Objective, screen: Objective, weights: Array, pairs: tuple[Array, Array], amounts: Array, verified: int = 4
) -> Exchange | None:
    """Return the best exchange of ``amounts[i]`` between the givers and takers ``pairs``, as `best_move` does."""
    givers, takers = pairs
    if not len(givers):
        return None
    best, loss = _decided(
        exact,
        screen,
        lambda by, few: by.exchanges(weights, givers[few], takers[few], amounts[few]),
        len(givers),
        verified,
    )
    return Exchange(int(givers[best]), int(takers[best]), float(amounts[best]), loss)


def _decided(
    exact: Objective, screen: Objective, losses: Callable[[Objective, Array], Array], count: int, verified: int
) -> tuple[int, float]:
    """Return which of ``count`` candidates is best, and its exact loss; ``losses`` of an objective and places."""
    few = np.arange(count)
    if screen is not exact:
        few = np.sort(np.argsort(losses(screen, few), kind="stable")[:verified])
    found = losses(exact, few)
    best = int(found.argmin())
    return int(few[best]), float(found[best])


def settled(members: Members, exact: Objective, weights: Array) -> Fit:
    """Return the mix of ``weights``, or of the best single member if the metric itself finds that better.

    It may where predictions are tied: a sum that is taken in another order parts them.
    """
    best: Array = np.eye(len(members))[ranking(exact.singles)[0]]
    losses = [members.metric.loss(members.score(members.blend(w))) for w in (weights, best)]
    return Fit(Weighted.of(weights if losses[0] <= losses[1] else best))


def ranking(losses: Array) -> Array:
    """Return indices by rising loss; of equal ones the first comes first, and what is undefined last."""
    order: Array = np.argsort(np.where(np.isnan(losses), np.inf, losses), kind="stable")
    return order
