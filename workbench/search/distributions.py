"""Parameters as Optuna's distributions, and values both ways.

Optuna has neither geometric steps nor KerasTuner's reverse_log: the first is searched by its place on the grid, the
second as its mirror image.
"""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from workbench.errors import FactoryError
from workbench.models.ranges import checked, count, value_at
from workbench.search.points import bounds
from workbench.types import Parameter, Scalar


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return the distribution from which Optuna suggests for a parameter."""
    if parameter.kind in ("choice", "boolean", "fixed"):
        return CategoricalDistribution(parameter.choices or (parameter.default,))
    if _by_place(parameter):
        return IntDistribution(0, (count(parameter) or 1) - 1)
    low, high = bounds(parameter)
    log = parameter.log or parameter.reverse
    if parameter.kind == "int":
        return IntDistribution(int(low), int(high), log=log, step=int(parameter.step or 1))
    return FloatDistribution(low, high, log=log, step=parameter.step)


def suggested(parameter: Parameter, internal: Scalar) -> Scalar:
    """Return the parameter's value for what Optuna suggested."""
    if _by_place(parameter):
        return value_at(parameter, int(internal))
    return _mirrored(parameter, internal)


def internal(parameter: Parameter, value: Scalar) -> Scalar | None:
    """Return a value as Optuna knows it; ``None`` where the parameter's range does not have it (any more)."""
    try:
        scalar = checked(parameter, value)
    except FactoryError:
        return None
    if _by_place(parameter):
        places = range(count(parameter) or 1)
        return min(places, key=lambda place: abs(float(value_at(parameter, place)) - float(scalar)))
    return _mirrored(parameter, scalar)


def _by_place(parameter: Parameter) -> bool:
    return parameter.step is not None and (parameter.log or parameter.reverse)


def _mirrored(parameter: Parameter, value: Scalar) -> Scalar:
    if not parameter.reverse or isinstance(value, str):
        return value
    low, high = bounds(parameter)
    image = min(max(low + high - value, low), high)
    return round(image) if parameter.kind == "int" else image
