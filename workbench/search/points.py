"""Points of the unit interval as values of a parameter: what random, quasi-random and grid search share."""

from __future__ import annotations

import math

from workbench.models.ranges import count, value_at
from workbench.types import Parameter, Scalar


def value_at_point(parameter: Parameter, point: float) -> Scalar:
    """Return the value at ``point`` in [0, 1], even in the parameter's scale: uniform points give uniform values."""
    places = count(parameter)
    if places is not None and not continuous(parameter):
        return value_at(parameter, min(int(point * places), places - 1))
    low, high = bounds(parameter)
    if parameter.log or parameter.reverse:
        value = math.exp(math.log(low) + point * (math.log(high) - math.log(low)))
        value = low + high - value if parameter.reverse else value
    else:
        value = low + point * (high - low)
    value = min(max(value, low), high)
    return round(value) if parameter.kind == "int" else value


def continuous(parameter: Parameter) -> bool:
    """Say whether the parameter is drawn from a range, and not by the place of a value; so are ints on a log scale."""
    return parameter.low is not None and parameter.step is None and (parameter.kind == "float" or _scaled(parameter))


def bounds(parameter: Parameter) -> tuple[float, float]:
    """Return the range of an ``int`` or ``float`` parameter."""
    if parameter.low is None or parameter.high is None:
        raise ValueError(f"parameter '{parameter.name}' of kind {parameter.kind} has no range")
    return parameter.low, parameter.high


def _scaled(parameter: Parameter) -> bool:
    return parameter.log or parameter.reverse
