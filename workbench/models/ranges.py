"""One hyperparameter: how it is declared, which values it can take, and whether a given value is one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

from workbench.errors import FactoryError
from workbench.types import Parameter, Scalar

Sampling = Literal["linear", "log", "reverse_log"]
SAMPLINGS = ("linear", "log", "reverse_log")
_SLACK = 1e-8
"""Relative slack of comparisons on a grid: ``0.1 + 2 * 0.1`` is not ``0.3``."""


def number(
    name: str,
    kind: Literal["int", "float"],
    low: float,
    high: float,
    *,
    step: float | None = None,
    sampling: str | None = "linear",
    default: float | None = None,
) -> Parameter:
    """Return an int or float parameter on ``[low, high]``; without a default it is ``low``.

    With ``step`` the values are ``low, low + step, …``, or ``low, low * step, …`` where the sampling is logarithmic;
    ``high`` becomes the largest of them, and the default must be one of them.
    """
    # ``None`` meant linear in early KerasTuner; it still does there.
    scale = "linear" if sampling is None else sampling.lower()
    bounds = {"min_value": low, "max_value": high, "step": step, "default": default}
    low, high, step, default = (_cast(name, kind, label, value) for label, value in bounds.items())
    _check_range(name, low, high, step, scale)
    if step is not None:
        high = _on_grid(low, step, _steps(low, high, step, scale), scale)
    parameter = Parameter(
        name=name,
        kind=kind,
        default=low if default is None else default,
        low=low,
        high=high,
        step=step,
        log=scale == "log",
        reverse=scale == "reverse_log",
    )
    _check_default(parameter)
    return parameter


def choice(name: str, values: Iterable[Any], default: Any = None) -> Parameter:
    """Return a choice of one of ``values``; without a default it is the first one. Repeated values count once."""
    scalars = tuple({(type(v), v): v for v in (plain(name, value) for value in values)}.values())
    if not scalars:
        raise FactoryError(f"hyperparameter '{name}': a choice needs at least one value, got none")
    first = scalars[0] if default is None else plain(name, default)
    parameter = Parameter(name=name, kind="choice", default=scalars[0], choices=scalars)
    return parameter.model_copy(update={"default": checked(parameter, first)})


def boolean(name: str, default: Any = False) -> Parameter:
    """Return a choice between false and true."""
    parameter = Parameter(name=name, kind="boolean", default=False, choices=(False, True))
    return parameter.model_copy(update={"default": checked(parameter, default)})


def fixed(name: str, value: Any) -> Parameter:
    """Return a parameter that has one value and is not searched."""
    return Parameter(name=name, kind="fixed", default=plain(name, value))


def plain(name: str, value: Any) -> Scalar:
    """Return ``value`` as a Python scalar; numpy's scalars are turned into Python's."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if not isinstance(value, (bool, int, float, str)):
        raise FactoryError(
            f"hyperparameter '{name}': expected a bool, int, float or str, got {value!r} ({type(value).__name__}). "
            "Search over a name or a number, and look the object up in the factory"
        )
    return value


def count(parameter: Parameter) -> int | None:
    """Return how many values the parameter can take; ``None`` for a continuous one."""
    if parameter.kind == "fixed":
        return 1
    if parameter.low is None or parameter.high is None:
        return len(parameter.choices)
    if parameter.step is not None:
        return _steps(parameter.low, parameter.high, parameter.step, _scale(parameter)) + 1
    return int(parameter.high - parameter.low) + 1 if parameter.kind == "int" else None


def value_at(parameter: Parameter, index: int) -> Scalar:
    """Return the value at a 0-based place among the `count` values, which rise except for choices."""
    if parameter.kind == "fixed":
        return parameter.default
    if parameter.low is None:
        return parameter.choices[index]
    scale = _scale(parameter) if parameter.step is not None else "linear"
    # Dense near the top means that the steps from the bottom shrink: count them from the top.
    place = (count(parameter) or 1) - 1 - index if scale == "reverse_log" else index
    value = _on_grid(parameter.low, parameter.step or 1, place, scale)
    if scale == "reverse_log":
        value = parameter.low + (parameter.high or 0) - value
    return round(value) if parameter.kind == "int" else value


def place_of(parameter: Parameter, value: Scalar) -> int:
    """Return the 0-based place of one of the `count` values; of steps the nearest one."""
    places = range(count(parameter) or 1)
    if parameter.low is None:
        return next(p for p in places if (at := value_at(parameter, p)) == value and type(at) is type(value))
    return min(places, key=lambda place: abs(float(value_at(parameter, place)) - float(value)))


def checked(parameter: Parameter, value: Any) -> Scalar:
    """Return ``value`` in the parameter's own type.

    Raises:
        FactoryError: it has another type, or lies outside the parameter's range.
    """
    scalar = plain(parameter.name, value)
    if parameter.kind == "int" or parameter.kind == "float":
        return _checked_number(parameter, scalar)
    allowed = parameter.choices or (parameter.default,)
    for candidate in allowed:
        if candidate == scalar and isinstance(candidate, bool) == isinstance(scalar, bool):
            return candidate
    raise FactoryError(
        f"hyperparameter '{parameter.name}': expected {_one_of(allowed)}, got {scalar!r} ({type(scalar).__name__})"
    )


def allows(parameter: Parameter, value: Any) -> bool:
    """Say whether the parameter can take ``value``."""
    try:
        checked(parameter, value)
    except FactoryError:
        return False
    return True


def describe(parameter: Parameter) -> str:
    """Return the parameter's declaration as people read it, such as ``int from 1 to 8``."""
    if parameter.low is None:
        return f"{parameter.kind} of {_one_of(parameter.choices or (parameter.default,))}"
    extras = [f"step {parameter.step:g}"] if parameter.step is not None else []
    extras += [_scale(parameter)] if parameter.log or parameter.reverse else []
    text = f"{parameter.kind} from {parameter.low:g} to {parameter.high:g}"
    return ", ".join([text, *extras, f"default {parameter.default!r}"])


def _one_of(values: Iterable[Scalar]) -> str:
    return " or ".join(repr(value) for value in values)


def _scale(parameter: Parameter) -> Sampling:
    if parameter.log:
        return "log"
    return "reverse_log" if parameter.reverse else "linear"


def _steps(low: float, high: float, step: float, scale: str) -> int:
    """Return how many whole steps fit between ``low`` and ``high``."""
    span = (high - low) / step if scale == "linear" else math.log(high / low, step)
    return math.floor(span + _SLACK)


def _on_grid(low: float, step: float, index: int, scale: str) -> float:
    return low + index * step if scale == "linear" else low * step**index


def _cast(name: str, kind: str, label: str, value: Any) -> Any:
    """Return a bound as an int or a float."""
    if value is None and label in ("step", "default"):
        return None
    scalar = plain(name, value)
    if isinstance(scalar, (bool, str)) or not math.isfinite(scalar):
        raise FactoryError(f"hyperparameter '{name}': {label} must be a finite number, got {scalar!r}")
    if kind == "float":
        return float(scalar)
    if scalar != int(scalar):
        raise FactoryError(f"hyperparameter '{name}': {label} of an int must be a whole number, got {scalar!r}")
    return int(scalar)


def _check_range(name: str, low: float, high: float, step: float | None, scale: str) -> None:
    if scale not in SAMPLINGS:
        raise FactoryError(f"hyperparameter '{name}': sampling must be one of {', '.join(SAMPLINGS)}, got '{scale}'")
    if low > high:
        raise FactoryError(f"hyperparameter '{name}': min_value {low} is greater than max_value {high}")
    if scale == "linear":
        if step is not None and step <= 0:
            raise FactoryError(f"hyperparameter '{name}': step must be greater than 0, got {step}")
        return
    if low <= 0:
        raise FactoryError(f"hyperparameter '{name}': sampling='{scale}' needs min_value > 0, got {low}")
    if step is not None and step <= 1:
        raise FactoryError(f"hyperparameter '{name}': sampling='{scale}' multiplies by step, so step > 1; got {step}")


def _check_default(parameter: Parameter) -> None:
    """Refuse a default that an engine could not suggest: it is the first trial."""
    checked(parameter, parameter.default)
    places = count(parameter)
    if parameter.step is None or places is None:
        return
    grid = [float(value_at(parameter, index)) for index in range(places)]
    default = float(parameter.default)
    near = min(grid, key=lambda value: abs(value - default))
    if not math.isclose(near, default, rel_tol=_SLACK, abs_tol=_SLACK * parameter.step):
        raise FactoryError(
            f"hyperparameter '{parameter.name}': default {default:g} is not reached by steps of {parameter.step:g} "
            f"from {parameter.low:g}; the nearest value is {near:g}"
        )


def _checked_number(parameter: Parameter, value: Scalar) -> Scalar:
    if isinstance(value, (bool, str)) or (parameter.kind == "int" and value != int(value)):
        raise FactoryError(
            f"hyperparameter '{parameter.name}': expected {describe(parameter)}; got {value!r} ({type(value).__name__})"
        )
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    slack = _SLACK * max(abs(low), abs(high))
    # A NaN fails both comparisons.
    if not (low - slack <= value <= high + slack):
        raise FactoryError(f"hyperparameter '{parameter.name}': expected {describe(parameter)}; got {value!r}")
    return int(value) if parameter.kind == "int" else min(max(float(value), low), high)
