"""A Keras model as a program: what the two backends have in common."""

from __future__ import annotations

from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.training.keras_feed import count, feed, take
from workbench.training.keras_state import State, Weights

LARGEST = 8192
"""Rows in one call of a prediction program: bounds memory."""
SMALLEST = 64


class Program(Protocol):
    """A compiled model apart from its numbers."""

    def start(self, state: State, table: tuple[Any, ...]) -> None:
        """Begin a split with its initial state and its table ``(x, y)`` or ``(x, y, weight)``."""
        ...

    def epoch(self, order: NDArray[np.int32], steps: int, rate: float) -> float | None:
        """Train on the first ``steps`` rows of ``order``, each a batch of row numbers; return the mean loss."""
        ...

    def weights(self) -> Weights:
        """Return the present weights; later epochs do not change them."""
        ...

    def state(self) -> State:
        """Return the present state: a training that starts from it goes on as this one would."""
        ...

    def predict(self, weights: Weights, x: Any) -> NDArray[Any]:
        """Return the output for the rows ``x``."""
        ...


def make_program(model: Any) -> Program:
    """Return the program of this process' backend."""
    if keras.backend.backend() == "jax":
        from workbench.training.keras_jax import JaxProgram

        return JaxProgram(model)
    from workbench.training.keras_tensorflow import TensorFlowProgram

    return TensorFlowProgram(model)


def predict(program: Program, weights: Weights, model: Any, prepared: Prepared) -> NDArray[Any]:
    """Return the output ``(rows, …)`` for any number of rows; few sizes of batches occur, so few programs compile."""
    return predict_feed(program, weights, feed(model, prepared))


def predict_feed(program: Program, weights: Weights, x: Any) -> NDArray[Any]:
    """Return the output for a feed, in batches that are filled up to the next power of two."""
    rows = count(x)
    if rows == 0:
        return program.predict(weights, take(x, np.zeros(0, dtype=np.intp)))
    parts = []
    for start in range(0, rows, LARGEST):
        index = np.arange(start, min(start + LARGEST, rows))
        # Repeated rows fill the batch up; in inference no row depends on another.
        parts.append(program.predict(weights, take(x, np.resize(index, _bucket(len(index)))))[: len(index)])
    return np.concatenate(parts)


def _bucket(rows: int) -> int:
    return min(LARGEST, max(SMALLEST, 1 << (rows - 1).bit_length()))
