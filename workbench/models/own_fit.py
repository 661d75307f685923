"""Training of the user's own: the ``fit(hp, model, *args, **kwargs)`` of a KerasTuner ``HyperModel``, or a model's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from workbench.errors import FactoryError
from workbench.models.factory import as_factory_error, out_of_memory
from workbench.models.hyperparameters import HyperParameters

OwnFit = Callable[..., Any]

_COLLISION = re.compile(r"got multiple values for keyword argument '(\w+)'")


def own_fit(factory: Any) -> OwnFit | None:
    """Return the ``fit`` of a factory's object; ``None`` where it is KerasTuner's, which does nothing of its own."""
    method = None if inspect.isroutine(factory) else getattr(factory, "fit", None)
    if not callable(method) or not callable(getattr(factory, "build", None)):
        return None
    found: OwnFit = method
    return None if str(getattr(method, "__module__", "")).startswith("keras_tuner.") else found


def overrides_fit(model: Any) -> bool:
    """Say whether a Keras model's class, or the model itself, has a ``fit`` that is not Keras' own."""
    import keras

    return getattr(model.fit, "__func__", model.fit) is not keras.Model.fit


def model_fit(hp: HyperParameters, model: Any, x: Any, y: Any, **options: Any) -> None:  # noqa: ARG001 - an OwnFit
    """Train a model by its own ``fit``: what a factory trains with that returns a model whose class overrides it."""
    model.fit(x, y, **options)


def call_fit(fit: OwnFit, hp: HyperParameters, model: Any, x: Any, y: Any, **given: Any) -> None:
    """Train a model as KerasTuner's ``search(x, y, **given)`` would.

    An option that the ``fit`` does not take, or that it chooses itself for ``model.fit``, is left to it. What it
    returns is of no use here: the trial's score is the experiment's metric on each split.

    Raises:
        FactoryError: it raised; the message shows the user's lines. Or it has no place for the rows' weights.
        MemoryError: the host ran out of memory. A device's own error, which says RESOURCE_EXHAUSTED, passes too.
    """
    whose, asked = ("model", model.fit) if fit is model_fit else ("factory", fit)
    options = _accepted(asked, given)
    if "sample_weight" in given and "sample_weight" not in options:
        raise FactoryError(
            f"the rows have weights, and the {whose}'s fit takes no sample_weight: they would not count; let it take "
            "sample_weight, or **kwargs, and pass it on to model.fit"
        )
    try:
        with hp.like_keras_tuner():
            _called(fit, hp, model, x, y, options)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise as_factory_error("fit", error) from error


def _called(fit: OwnFit, hp: HyperParameters, model: Any, x: Any, y: Any, options: dict[str, Any]) -> None:
    while True:
        try:
            fit(hp, model, x, y, **options)
            return
        except TypeError as error:
            # Such as ``model.fit(*args, epochs=hp.Int("epochs", 5, 20), **kwargs)``: said before anything is trained.
            found = _COLLISION.search(str(error))
            if found is None or found[1] not in options:
                raise
            del options[found[1]]


def _accepted(fit: OwnFit, given: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(fit).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in parameters}
