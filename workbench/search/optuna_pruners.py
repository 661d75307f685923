"""Optuna's pruners by name, with options that are checked before Optuna takes them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, get_type_hints

import optuna
from optuna.pruners import BasePruner
from pydantic import TypeAdapter, ValidationError

from workbench.errors import ConfigError, nearest

PRUNERS: dict[str, type[BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "patient": optuna.pruners.PatientPruner,
    "threshold": optuna.pruners.ThresholdPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
}
REMEMBERING = ("successive_halving", "hyperband")
"""Pruners that write down how far a trial came when they judge it, and compare later ones with that."""

DEFAULTS: dict[str, dict[str, Any]] = {"wilcoxon": {"p_threshold": 0.2}}
"""Where Optuna's defaults do not suit folds.

The smallest p that n pairs can have is 2^-n: 0.25, 0.125, 0.0625 and 0.031 for 2 to 5 splits. With Optuna's 0.1 a trial
could only end after the fourth split, when little is left to save; with 0.2 three splits that are all worse are enough.
"""


def optuna_pruner(name: str, options: Mapping[str, Any]) -> BasePruner:
    """Return Optuna's pruner; the option ``wrapped`` of ``patient`` is itself a name, or a mapping with a name.

    Raises:
        ConfigError: an option is unknown, missing or has no valid value.
    """
    given = {**DEFAULTS.get(name, {}), **options}
    told = {"wrapped_pruner": _wrapped(given.pop("wrapped", None))} if name == "patient" else {}
    _check(name, given)
    try:
        with warnings.catch_warnings():
            # Some have been "experimental" for years.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made = PRUNERS[name](**told, **given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"search.pruner: {name}: {error}") from error
    low, high = given.get("min_resource"), given.get("max_resource")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise ConfigError(f"search.pruner: {name}: min_resource {low} is above max_resource {high}")
    return made


def try_pruner(name: str, options: Mapping[str, Any]) -> None:
    """Judge two trials of a study of its own, once before a search: some options are looked at only then.

    Raises:
        ConfigError: an option has no valid value.
    """
    study = optuna.create_study(pruner=optuna_pruner(name, options))
    try:
        for value in (1.0, 2.0):
            trial = study.ask()
            trial.report(value, 1)
            trial.should_prune()
            study.tell(trial, value)
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"search.pruner: {name}: {error} (options: {dict(options)})") from error


def checked_keep(keep: Any) -> int:
    """Return the option ``keep``, which every pruner has.

    Raises:
        ConfigError: it is no number above 0.
    """
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise ConfigError(f"search.pruner: keep: expected a number of trials above 0, got {keep!r}")
    return keep


def remembers(name: str, options: Mapping[str, Any]) -> bool:
    """Say whether the pruner's judging of one trial depends on its having judged the others."""
    wrapped = options.get("wrapped") if name == "patient" else None
    inner = wrapped.get("name") if isinstance(wrapped, Mapping) else wrapped
    return name in REMEMBERING or inner in REMEMBERING


def _wrapped(wrapped: Any) -> BasePruner | None:
    """Return the pruner that is asked when patience is over; without one the trial is pruned then."""
    if wrapped is None:
        return None
    name, options = (wrapped.get("name"), wrapped) if isinstance(wrapped, Mapping) else (wrapped, {})
    inner = [each for each in PRUNERS if each not in ("patient", "wilcoxon")]
    if name not in inner:
        told = f"search.pruner: patient can wrap {', '.join(inner)}, not {name!r}."
        raise ConfigError(told + nearest(str(name), inner))
    return optuna_pruner(name, {key: value for key, value in options.items() if key != "name"})


def _check(name: str, given: Mapping[str, Any]) -> None:
    """Optuna checks ranges; here it is names and types."""
    constructor = PRUNERS[name].__init__
    hints = get_type_hints(constructor)
    known = {p.name: p for p in inspect.signature(constructor).parameters.values() if p.name != "self"}
    known.pop("wrapped_pruner", None)
    shown = [*known, "wrapped", "keep"] if name == "patient" else [*known, "keep"]
    for option, value in given.items():
        if option not in known:
            told = f"search.pruner: the pruner {name} has no option '{option}'; it has {', '.join(shown)}."
            raise ConfigError(told + nearest(option, shown))
        try:
            TypeAdapter(hints[option]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigError(
                f"search.pruner: {name}: {option}: expected {_readable(hints[option])}, got {value!r}"
            ) from error
    for option, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and option not in given:
            raise ConfigError(f"search.pruner: the pruner {name} needs the option '{option}'")


def _readable(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
