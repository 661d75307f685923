"""Random search: the engine for debugging, and the base that every other engine must beat."""

from __future__ import annotations

import numpy as np

from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.points import value_at_point
from workbench.seeds import derive_seed
from workbench.types import Space, Values


class RandomEngine:
    """Draws each parameter uniformly from its range, on a log scale where the space says so."""

    def __init__(self, options: EngineOptions) -> None:
        """Keep the seed; the rest does not matter here."""
        self._seed = options.seed

    def ask(self, number: int, space: Space) -> Suggestion:
        """Draw values from a generator of this number's own."""
        generator = np.random.default_rng(derive_seed(self._seed, number, "random"))
        values: Values = {}
        for parameter in space.parameters:
            if parameter.active(values):
                values[parameter.name] = value_at_point(parameter, generator.random())
        return Suggestion(values)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Learn nothing."""
