"""Hyperparameters as a person gives them, checked against what a factory declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import ConfigError, FactoryError, nearest
from workbench.models.ranges import checked, describe
from workbench.types import Parameter, Scalar, Space, Values


def parse_values(texts: Sequence[str]) -> Values:
    """Return ``["lr=0.05", "norm=layer"]`` as values: numbers, true and false, else text.

    Raises:
        ConfigError: an entry is not ``NAME=VALUE``, or a name comes twice.
    """
    values: Values = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ConfigError(f"--values {text}: expected NAME=VALUE, such as lr=0.05")
        if name in values:
            raise ConfigError(f"--values {text}: '{name}' has a value already, {values[name]!r}")
        values[name] = _scalar(value)
    return values


def completed(family: str, space: Space, base: Mapping[str, Scalar], changes: Mapping[str, Any]) -> Values:
    """Return a whole configuration: ``changes``, else ``base``, else the default of every parameter that is active.

    Raises:
        ConfigError: a name is not one of the space's, is not in use under the other values, or its value is out of
            range; the message says what would be right.
    """
    names = [parameter.name for parameter in space.parameters]
    for name in changes:
        if name not in names:
            known = ", ".join(names) or "none"
            raise ConfigError(f"{family} has no hyperparameter '{name}'; it has {known}.{nearest(name, names)}")
    values: Values = {}
    for parameter in space.parameters:
        if parameter.active(values):
            values[parameter.name] = _value(family, parameter, base, changes)
        elif parameter.name in changes:
            needs = " and ".join(f"{c.parameter} = {_one_of(c.values)}" for c in parameter.conditions)
            raise ConfigError(f"{family}: '{parameter.name}' is in use only with {needs}")
    return values


def _value(family: str, parameter: Parameter, base: Mapping[str, Scalar], changes: Mapping[str, Any]) -> Scalar:
    name = parameter.name
    if name not in changes:
        return base.get(name, parameter.default)
    try:
        return checked(parameter, _as_declared(parameter, changes[name]))
    except FactoryError as error:
        raise ConfigError(f"{family}: expected {name} as {describe(parameter)}; got {changes[name]!r}") from error


def _as_declared(parameter: Parameter, value: Any) -> Any:
    """Return the choice that is written like ``value``: ``1`` may be the text '1', ``true`` the boolean."""
    allowed = parameter.choices or ((parameter.default,) if parameter.kind == "fixed" else ())
    written = {str(choice).lower(): choice for choice in allowed}
    return value if value in allowed else written.get(str(value).lower(), value)


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _one_of(values: Sequence[Scalar]) -> str:
    return " or ".join(str(value) for value in values)
