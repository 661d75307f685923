"""Spaces that the experiment's configuration changes, and values that are to fit into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.config.models import RangeConfig
from workbench.errors import ConfigError, FactoryError, nearest
from workbench.models import ranges
from workbench.types import Parameter, Scalar, Space, Values


def with_ranges(space: Space, wanted: Mapping[str, RangeConfig], family: str) -> Space:
    """Return ``space`` with the ranges that the configuration gives its parameters.

    Raises:
        ConfigError: there is no such parameter, or it cannot have that range.
    """
    known = _known(space, wanted, f"family '{family}', space")
    for name, entry in wanted.items():
        try:
            known[name] = _ranged(known[name], entry)
        except FactoryError as error:
            raise ConfigError(f"family '{family}', space: {error}") from error
    return Space(parameters=tuple(known.values()))


def _ranged(parameter: Parameter, entry: RangeConfig) -> Parameter:
    kind, numeric = parameter.kind, parameter.kind in ("int", "float")
    given = entry.model_dump(exclude_none=True)
    misplaced = set(given) & ({"choices"} if numeric else {"min", "max", "step"})
    if misplaced or kind == "fixed":
        keys = "min, max, step and default" if numeric else "nothing" if kind == "fixed" else "choices and default"
        raise FactoryError(f"'{parameter.name}' is {ranges.describe(parameter)}: {keys} can be changed, not {given}")
    default = given.get("default")
    if not numeric:
        choices = given.get("choices", parameter.choices)
        kept = default if default is not None else parameter.default if parameter.default in choices else None
        return ranges.choice(parameter.name, choices, kept).model_copy(
            update={"conditions": parameter.conditions, "kind": kind}
        )
    low, high = given.get("min", parameter.low or 0.0), given.get("max", parameter.high or 0.0)
    step = given.get("step", parameter.step)
    made = ranges.number(
        parameter.name,
        "int" if kind == "int" else "float",
        low,
        high,
        step=step,
        sampling="log" if parameter.log else "reverse_log" if parameter.reverse else "linear",
        default=default,
    )
    if default is None and ranges.allows(made, parameter.default):
        made = made.model_copy(update={"default": parameter.default})
    return made.model_copy(update={"conditions": parameter.conditions})


def fitted(space: Space, values: Mapping[str, Scalar]) -> Values:
    """Return a configuration of ``space`` that is as near to ``values`` as it can be.

    What is missing, or out of its range, takes its default; what the space does not have is left out.
    """
    found: Values = {}
    for parameter in space.parameters:
        if parameter.active(found):
            wanted = values.get(parameter.name, parameter.default)
            allowed = ranges.allows(parameter, wanted)
            found[parameter.name] = ranges.checked(parameter, wanted) if allowed else parameter.default
    return found


def checked_values(space: Space, values: Mapping[str, Scalar], family: str) -> Values:
    """Return values of the user's as a configuration; what is missing takes its default.

    Raises:
        ConfigError: a value does not fit.
    """
    known = _known(space, values, f"family '{family}', enqueue")
    for name, value in values.items():
        try:
            ranges.checked(known[name], value)
        except FactoryError as error:
            raise ConfigError(f"family '{family}', enqueue: {error}") from error
    return fitted(space, values)


def _known(space: Space, names: Iterable[str], where: str) -> dict[str, Parameter]:
    """Return the parameters by name, each of ``names`` among them.

    Raises:
        ConfigError: one is not; ``where`` says whose mistake it is.
    """
    known = {parameter.name: parameter for parameter in space.parameters}
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ConfigError(f"{where}: no hyperparameter '{name}'; it has {listed}.{nearest(name, known)}")
    return known
