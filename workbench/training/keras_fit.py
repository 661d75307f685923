"""What cannot be traced into a program trains by Keras' own ``fit``, an epoch a call, on the same batches."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.errors import FactoryError
from workbench.models.factory import as_factory_error, out_of_memory
from workbench.training.build import seeded
from workbench.training.keras_feed import take
from workbench.training.keras_in_place import InPlaceTrainer
from workbench.training.keras_program import Table

if TYPE_CHECKING:
    from workbench.training.jax_train_step import TrainStep

ADVICE = (
    "What depends on a tensor's value must be said with operations of keras.ops or of the backend; or compile the "
    "model with run_eagerly=True, which is slow"
)
"""What to do where a training step's Python code cannot be traced."""
CALLBACKS = ("io_callback", "pure_callback", "debug_callback", "debug_print")
"""Calls of Python from within a program: in order, from one thread and for one split at a time, as ``fit`` does."""


def traced(model: Any, batch: Table) -> tuple[TrainStep | None, str]:
    """Return a model's training step as a program's part, on JAX, or why ``fit`` trains it, on any backend."""
    if reason := _asked_for(model):
        return None, reason
    if keras.backend.backend() != "jax":
        return None, ""
    from workbench.training.jax_train_step import TrainStep

    try:
        step = TrainStep(model, batch)
    except Exception as error:
        # Whether that is the model's fault, fit shows: what it can train is trained.
        if out_of_memory(error):
            raise
        shown = _of_a_trace(error) or error
        said = str(shown).strip().partition("\n")[0].rstrip(".")
        return None, f"JAX cannot trace its training step ({type(shown).__name__}: {said}): Keras' fit trains it"
    found = [name for name in CALLBACKS if step.program.uses(name)]
    return (None, f"its training step calls Python ({found[0]}): Keras' fit trains it") if found else (step, "")


def _asked_for(model: Any) -> str:
    if model.run_eagerly:
        return "the model is compiled with run_eagerly=True: Keras' fit trains it, in Python"
    own = getattr(model.make_train_function, "__func__", None) is not keras.Model.make_train_function
    if own or model.train_function is not None:
        return "the model has a train_function of its own: Keras' fit trains it"
    return ""


class FitTrainer(InPlaceTrainer):
    """Trains by ``model.fit``, which the author's own ``train_function`` or Python code may be a part of."""

    _table: Table = ()

    def _take(self, table: Table | None) -> None:
        self._table = table or ()

    def _train(self, order: NDArray[np.int32]) -> float | None:
        x, y, *weight = take(self._table, order.reshape(-1))
        options = {"sample_weight": weight[0]} if weight else {}
        try:
            # What the user's Python code draws follows from the split and the epoch, as the order of the rows does.
            with seeded(zlib.crc32(order.tobytes())), _unfinished(self._model.optimizer):
                seen = self._model.fit(x, y, batch_size=order.shape[1], shuffle=False, verbose=0, **options)
        except Exception as error:
            if out_of_memory(error):
                raise
            raise _told(self._model, error) from error
        loss = seen.history.get("loss")
        return float(loss[-1]) if loss else None


@contextlib.contextmanager
def _unfinished(optimizer: Any) -> Iterator[None]:
    """Let an optimizer not replace the weights by their average: the end of a ``fit`` is not that of the training."""
    optimizer.finalize_variable_values = lambda _: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def untraceable(error: Exception) -> Exception:
    """Return the error to show where Python code of the user's cannot be traced: their lines, and what to do."""
    told = as_factory_error("train_step", error)
    return FactoryError(f"{told}\n{ADVICE}") if isinstance(told, FactoryError) else told


def _told(model: Any, error: Exception) -> Exception:
    shown = _of_a_trace(error)
    return as_factory_error("fit", error) if shown is None or model.run_eagerly else untraceable(shown)


def _of_a_trace(error: BaseException | None) -> Exception | None:
    """Return the error by which JAX says that it cannot trace.

    Keras adds a layer's arguments to what its call raised, and raises another error where it does not know how.
    """
    if keras.backend.backend() != "jax":
        return None
    import jax

    while error is not None and not isinstance(error, jax.errors.JAXTypeError):
        error = error.__context__
    return error
