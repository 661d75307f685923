"""``trial``: Optuna's way to declare hyperparameters, over the same record as ``hp``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

from workbench.errors import FactoryError
from workbench.models import ranges
from workbench.models.hyperparameters import HyperParameters
from workbench.types import Parameter, Scalar

_NONE = "None"
"""How the choice ``None`` is recorded: spaces hold JSON scalars only."""


class TrialStyle:
    """Optuna's ``suggest_*`` methods, for factories whose first parameter is called ``trial``.

    Optuna has no defaults, but the first trial needs one: it is the middle of a range (the geometric one where
    ``log=True``) or the first choice.
    """

    def __init__(self, hp: HyperParameters) -> None:
        self._hp = hp

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in ``[low, high]``."""
        _check_step(name, step, log)
        return float(self._hp.declare(_middle(ranges.number(name, "float", low, high, step=step, sampling=_as(log)))))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number in ``[low, high]``."""
        _check_step(name, None if step == 1 else step, log)
        stepped = None if step == 1 else step
        return int(self._hp.declare(_middle(ranges.number(name, "int", low, high, step=stepped, sampling=_as(log)))))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of ``choices``, which are bools, numbers, text or ``None``."""
        if _NONE in choices and None in choices:
            raise FactoryError(f"hyperparameter '{name}': the choices hold both None and 'None'; rename the text")
        value = self._hp.declare(ranges.choice(name, [_NONE if choice is None else choice for choice in choices]))
        return None if value == _NONE and None in choices else value

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """Return `suggest_float`, under its old name."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """Return `suggest_float` with ``log=True``, under its old name."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """Return `suggest_float` with ``step=q``, under its old name."""
        return self.suggest_float(name, low, high, step=q)

    @property
    def params(self) -> dict[str, Scalar]:
        """The values that were asked for so far."""
        return self._hp.used

    def __getattr__(self, name: str) -> NoReturn:
        """Say what a factory's trial has, for Optuna's other attributes."""
        raise AttributeError(
            f"a factory's trial has no '{name}': it has suggest_float, suggest_int, suggest_categorical and params. "
            "Epochs are reported and trials pruned by the workbench"
        )


def _as(log: bool) -> str:
    return "log" if log else "linear"


def _check_step(name: str, step: float | None, log: bool) -> None:
    if step is not None and log:
        raise FactoryError(f"hyperparameter '{name}': step and log=True exclude each other, as in Optuna")


def _middle(parameter: Parameter) -> Parameter:
    """Return the parameter with the middle of its range as default."""
    return parameter.model_copy(update={"default": _middle_value(parameter)})


def _middle_value(parameter: Parameter) -> Scalar:
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    places = ranges.count(parameter)
    if parameter.step is not None and places is not None:
        return ranges.value_at(parameter, (places - 1) // 2)
    middle = math.sqrt(low) * math.sqrt(high) if parameter.log else (low + high) / 2
    # Rounding may leave the range by one unit in the last place.
    inside = min(max(middle, low), high)
    return math.floor(inside) if parameter.kind == "int" else inside
