"""Parameters as KerasTuner's oracles search them, and values both ways.

What has finitely many places (choices, booleans, steps) is searched by its place: KerasTuner's choices cannot mix
types, and its arithmetic on steps is off by one for many floats (``0.3 // 0.1`` is 2). Its sampling is even in the
place too.
"""

from __future__ import annotations

from typing import Any

from workbench.errors import FactoryError
from workbench.models.ranges import checked, count, place_of, value_at
from workbench.types import Condition, Parameter, Scalar, Space, Values

_NEVER = -1
"""A place that no parameter has."""


def space_config(space: Space) -> dict[str, Any]:
    """Return what ``keras_tuner.HyperParameters.from_config`` takes."""
    known = {parameter.name: parameter for parameter in space.parameters}
    return {"space": [_config(parameter, known) for parameter in space.parameters], "values": {}}


def internal_values(space: Space, values: Values) -> Values | None:
    """Return values as oracles know them; ``None`` where the space does not have one of them (any more).

    Parameters that the values lack, because the space has grown since, are left out.
    """
    found: Values = {}
    for parameter in space.parameters:
        if parameter.active(values) and parameter.name in values:
            known = internal(parameter, values[parameter.name])
            if known is None:
                return None
            found[parameter.name] = known
    return found


def external_values(space: Space, values: Values) -> Values:
    """Return an oracle's values in the parameters' own types, in the space's order."""
    return {p.name: external(p, values[p.name]) for p in space.parameters if p.name in values}


def internal(parameter: Parameter, value: Scalar) -> Scalar | None:
    """Return one value as oracles know it; ``None`` where the parameter's range does not have it."""
    try:
        scalar = checked(parameter, value)
    except FactoryError:
        return None
    return place_of(parameter, scalar) if _by_place(parameter) else scalar


def external(parameter: Parameter, value: Scalar) -> Scalar:
    """Return the parameter's value for an oracle's one."""
    if _by_place(parameter):
        return value_at(parameter, int(value))
    # An oracle's logarithmic whole numbers end one above the range where its sample is exactly 1.
    inside = min(max(float(value), float(parameter.low or 0)), float(parameter.high or 0))
    return int(inside) if parameter.kind == "int" else inside


def _by_place(parameter: Parameter) -> bool:
    return parameter.low is None or parameter.step is not None


def _config(parameter: Parameter, known: dict[str, Parameter]) -> dict[str, Any]:
    conditions = [_condition(condition, known) for condition in parameter.conditions]
    config: dict[str, Any] = {"name": parameter.name, "conditions": conditions}
    if parameter.kind == "fixed":
        return {"class_name": "Fixed", "config": {**config, "value": 0}}
    config["default"] = internal(parameter, parameter.default)
    places = count(parameter) or 1
    if parameter.low is None:
        return {"class_name": "Choice", "config": {**config, "values": list(range(places))}}
    if _by_place(parameter):
        return {"class_name": "Int", "config": {**config, "min_value": 0, "max_value": places - 1}}
    sampling = "log" if parameter.log else "reverse_log" if parameter.reverse else "linear"
    bounds = {"min_value": parameter.low, "max_value": parameter.high, "sampling": sampling}
    return {"class_name": "Int" if parameter.kind == "int" else "Float", "config": {**config, **bounds}}


def _condition(condition: Condition, known: dict[str, Parameter]) -> dict[str, Any]:
    parent = known[condition.parameter]
    places = [place for value in condition.values if (place := internal(parent, value)) is not None]
    return {"class_name": "Parent", "config": {"name": parent.name, "values": places or [_NEVER]}}
