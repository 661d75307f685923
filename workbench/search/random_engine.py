"""Random search: the engine for debugging, and the base that every other engine must beat."""

from __future__ import annotations

import numpy as np

from workbench.models.ranges import count, value_at
from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.seeds import derive_seed
from workbench.types import Parameter, Scalar, Space, Values


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
                values[parameter.name] = draw(parameter, generator)
        return Suggestion(values)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Learn nothing."""


def draw(parameter: Parameter, generator: np.random.Generator) -> Scalar:
    """Draw one value of a parameter."""
    places = count(parameter)
    if places is not None and (parameter.step is not None or not (parameter.log or parameter.reverse)):
        return value_at(parameter, int(generator.integers(places)))
    low, high = bounds(parameter)
    if parameter.log or parameter.reverse:
        value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
        value = low + high - value if parameter.reverse else value
    else:
        value = float(generator.uniform(low, high))
    value = min(max(value, low), high)
    return round(value) if parameter.kind == "int" else value


def bounds(parameter: Parameter) -> tuple[float, float]:
    """Return the range of an ``int`` or ``float`` parameter."""
    if parameter.low is None or parameter.high is None:
        raise ValueError(f"parameter '{parameter.name}' of kind {parameter.kind} has no range")
    return parameter.low, parameter.high
