"""Grid search: every configuration once, in an order that the seed draws."""

from __future__ import annotations

import random
from functools import cached_property

import numpy as np

from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.grid import Grid
from workbench.seeds import derive_seed
from workbench.types import Space, Values

SHUFFLED = 100_000
"""Grids up to this size are shuffled as a whole; of a larger one, which no search ends, each number draws its rank."""


class GridEngine:
    """Suggests each configuration of the grid that was not tried yet, and then nothing more.

    In a drawn order a search that ends early has seen all of the space, not a corner of it.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Keep the seed; scores do not matter here."""
        self._seed = options.seed
        self._tried: dict[int, Values] = {}
        self._on = _Progress(Space(), self._seed)

    def ask(self, number: int, space: Space) -> Suggestion | None:
        """Return a configuration that is neither tried nor being tried; ``None`` after the last."""
        if space != self._on.space:
            self._on = _Progress(space, self._seed)
            for values in self._tried.values():
                self._on.take(values)
        free = self._on.next(number)
        if free is None:
            return None
        self._take(number, free)
        return Suggestion(free)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:  # noqa: ARG002 - the contract's signature
        """Take note of what was tried, however it ended."""
        self._take(number, outcome.suggestion.values)

    def _take(self, number: int, values: Values) -> None:
        self._tried[number] = values
        self._on.take(values)


class _Progress:
    """Which configurations of one space's grid are taken."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self._seed = seed
        self._grid = Grid(space)
        self._taken: set[int] = set()

    @cached_property
    def _order(self) -> list[int]:
        generator = np.random.default_rng(derive_seed(self._seed, "grid"))
        return [int(rank) for rank in generator.permutation(self._grid.size)]

    def take(self, values: Values) -> None:
        rank = self._grid.rank(values)
        if rank is not None:
            self._taken.add(rank)

    def next(self, number: int) -> Values | None:
        """Return the first free configuration from this number's place on."""
        size = self._grid.size
        if len(self._taken) >= size:
            return None
        place = number
        if size > SHUFFLED:
            place = random.Random(derive_seed(self._seed, number, "grid")).randrange(size)
        while self._rank(place) in self._taken:
            place += 1
        return self._grid.values(self._rank(place))

    def _rank(self, place: int) -> int:
        place %= self._grid.size
        return place if self._grid.size > SHUFFLED else self._order[place]
