"""Which hyperparameters of a factory are rates: numbers that its model holds in variables and nowhere else.

Two configurations that differ in their rates alone have the same traced and compiled program, so that a worker that has
built one of them trains the other by setting variables: no build, no trace, no compilation. It is believed of installed
factories alone, as the built-in ones are; a user's own is traced for each trial, which takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

Factory = TypeVar("Factory", bound=Callable[..., Any])

_ATTRIBUTE = "__workbench_rates__"


def rates(**variables: str) -> Callable[[Factory], Factory]:
    """Mark a factory's rates: ``@rates(lr="learning_rate", dropout="rate")``.

    Each keyword is a hyperparameter, its value the ``name`` of the Keras variables that hold it: every variable of that
    name, be it the model's or the optimizer's, has the hyperparameter's value when the model is built. Nothing else may
    depend on the hyperparameter: no layer that is left out at a rate of 0, no other hyperparameter's range, no option
    of the `Recipe`, no initial weight. Learning rates are variables of every Keras optimizer (``learning_rate``);
    `workbench.models.dropout.Dropout` (``rate``) and `workbench.models.optimizers.AdamW` (``weight_decay``) hold theirs
    in variables too, which Keras' own do not. Where a model has no variable of such a name, or one with another value,
    a worker says so, and builds that model for each trial.

    Raises:
        TypeError: two hyperparameters are said to be the same variables, which cannot be.
    """
    twice = sorted({name for name in variables.values() if list(variables.values()).count(name) > 1})
    if twice:
        raise TypeError(f"@rates: expected variables of their own for each hyperparameter, got '{twice[0]}' twice")

    def mark(factory: Factory) -> Factory:
        setattr(factory, _ATTRIBUTE, MappingProxyType(dict(variables)))
        return factory

    return mark


def rates_of(factory: Any) -> Mapping[str, str]:
    """Return a factory's rates, hyperparameter → name of its variables; empty for one that is not marked.

    Of an object with a ``build`` method, or a class of such objects, it is the method that is marked.
    """
    # KerasTuner hides the method of an object behind another one: its class still has it.
    for marked in (factory, getattr(factory, "build", None), getattr(type(factory), "build", None)):
        found: Mapping[str, str] | None = getattr(marked, _ATTRIBUTE, None)
        if found is not None:
            return found
    return MappingProxyType({})
