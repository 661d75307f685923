"""Which move from some weights is best: looked for on a sample of the rows, decided on all of them."""

from __future__ import annotations

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


def best_move(
    exact: Objective, screen: Objective, weights: Array, which: Array, steps: Array, verified: int = 4
) -> Move | None:
    """Return the best of the moves ``which[i]`` by ``steps[i]``; of equal ones the first. ``None`` if there are none.

    Where ``screen`` is not ``exact`` itself, all moves are ranked by it and the first ``verified`` decided by it.
    """
    if not len(which):
        return None
    losses = screen.moves(weights, which, steps)
    if screen is not exact:
        few = np.sort(np.argsort(losses, kind="stable")[:verified])
        which, steps = which[few], steps[few]
        losses = exact.moves(weights, which, steps)
    best = int(losses.argmin())
    return Move(int(which[best]), float(steps[best]), float(losses[best]))


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
