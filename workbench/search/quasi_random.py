"""Quasi-random search: points that fill the space more evenly than random ones (Bergstra and Bengio, 2012)."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.points import value_at_point
from workbench.seeds import derive_seed
from workbench.types import Space, Values


class QuasiRandomEngine:
    """Takes the points of a Sobol sequence, scrambled by the seed (Owen, 1998), one dimension for each parameter.

    A parameter that is not active leaves its coordinate unused, so that conditional spaces stay evenly filled.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Keep the seed; scores do not matter here."""
        self._seed = options.seed

    def ask(self, number: int, space: Space) -> Suggestion:
        """Return the values at the sequence's point ``number``."""
        points = self._point(number, len(space.searched))
        coordinates = dict(zip((parameter.name for parameter in space.searched), points, strict=True))
        values: Values = {}
        for parameter in space.parameters:
            if parameter.active(values):
                values[parameter.name] = value_at_point(parameter, coordinates.get(parameter.name, 0.0))
        return Suggestion(values)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Learn nothing."""

    def _point(self, number: int, dimensions: int) -> list[float]:
        if not dimensions:
            return []
        generator = np.random.default_rng(derive_seed(self._seed, "sobol"))
        sequence = qmc.Sobol(dimensions, scramble=True, rng=generator)
        if number:
            sequence.fast_forward(number)
        return [float(coordinate) for coordinate in sequence.random(1)[0]]
