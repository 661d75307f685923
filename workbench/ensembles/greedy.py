"""Ensemble selection with replacement.

Source: Caruana, Niculescu-Mizil, Crew and Ksikes, 2004, "Ensemble Selection from Libraries of Models".
Again and again the member is added, with equal weight, that makes the blend best. What was added twice counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.ensembles.moves import best_move, ranking, settled
from workbench.ensembles.objective import Objective
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array
from workbench.seeds import derive_seed

FIRST = 5
"""At most so many of the best members are the start, where their mean is better than the best alone."""

VERIFIED = 3 << 19
"""Numbers that are looked at on all rows to decide between the members that are best on a sample of them."""

TWICE = 1 << 19
"""Numbers of a candidate up to which selection is tried from the best member alone as well."""

PATIENCE = 40
"""Steps in a row without a new best after which nothing better is expected; with few members three for each."""

PLAIN = 25
"""Members that are added in any case, as AutoGluon adds."""


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """Add the best member, again and again, and keep the best of the blends on the way.

    Selection begins at the mean of the best few and, where rows are not too many, also at the best member alone, as
    Caruana's and AutoGluon's does; the better end is taken. In-sample it is never worse than the best single member.

    Attributes:
        steps: Members that are added, at most.
        bags: From 2 on, selection is done so many times, each from a random half of the members, and averaged: what
            was chosen by chance counts less.
        seed: Seed of the halves.
    """

    simplicity: ClassVar[int] = 4
    steps: int = 100
    bags: int = 1
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Find weights on the simplex."""
        with one_blas_thread():
            exact = Objective.of(members)
            return settled(members, exact, self.weights(exact))

    def weights(self, exact: Objective) -> Array:
        """Return the weights ``(members,)`` that selection leads to."""
        screen, count = exact.sampled(seed=self.seed), len(exact)
        best: Array = np.eye(count)[ranking(exact.singles)[0]]
        if not np.isfinite(exact.singles).any():
            return np.full(count, 1.0 / count)
        bags = [_best_selected(exact, screen, pool, self.steps) for pool in self._pools(count)]
        found: Array = np.mean(bags, axis=0)
        return found if exact(found) < exact(best) else best

    def _pools(self, count: int) -> list[Array]:
        """Return the members that each bag sees."""
        if self.bags < 2:
            return [np.arange(count)]
        generator = np.random.default_rng(derive_seed(self.seed, "greedy", count))
        return [np.sort(generator.choice(count, (count + 1) // 2, replace=False)) for _ in range(self.bags)]


def _best_selected(exact: Objective, screen: Objective, pool: Array, steps: int) -> Array:
    """Return the better end of selections from the members ``pool``: from a mean, and from the best alone."""
    starts = [_start(exact, pool)]
    if starts[0][1] > 1 and exact.size <= TWICE:
        starts.append((np.eye(len(exact))[pool[ranking(exact.singles[pool])[0]]], 1))
    return min([_selected(exact, screen, pool, start, size, steps) for start, size in starts], key=exact)


def _selected(exact: Objective, screen: Objective, pool: Array, weights: Array, size: int, steps: int) -> Array:
    """Return the best weights on the way of one selection from ``weights``, the mean of ``size`` members."""
    best, lowest, waited = weights, exact(weights), 0
    verified, patience = max(2, VERIFIED // max(1, exact.size)), min(PATIENCE, 3 * len(pool))
    for added in range(size, size + steps):
        move = best_move(exact, screen, weights, pool, np.full(len(pool), 1.0 / (added + 1)), verified)
        if move is None or (waited >= patience and added > PLAIN):
            break
        weights, waited = move.applied(weights), waited + 1
        if move.loss < lowest:
            best, lowest, waited = weights, move.loss, 0
    return best


def _start(exact: Objective, pool: Array) -> tuple[Array, int]:
    """Return the best mean of some first of the best members, and how many they are."""
    order = pool[ranking(exact.singles[pool])][:FIRST]
    means = [np.bincount(order[:size], minlength=len(exact)) / size for size in range(1, len(order) + 1)]
    size = int(np.argmin([exact(mean) for mean in means]))
    return means[size], size + 1
