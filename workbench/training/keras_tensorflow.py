"""Keras on TensorFlow: one compiled step, called for each batch through Keras' public ``train_on_batch``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.training.keras_feed import take
from workbench.training.keras_state import State, Weights, assign, learning_rate_index


class TensorFlowProgram:
    """A compiled model that trains any state on any table of equal shape."""

    def __init__(self, model: Any) -> None:
        """Take a model whose variables exist (`keras_state.prepare`)."""
        self._model = model
        self._rate = learning_rate_index(model.optimizer)
        self._base = 0.0
        self._table: Any = None

    def start(self, state: State, table: tuple[Any, ...]) -> None:
        """Begin a split with its initial state and its table."""
        assign(self._model.trainable_variables, state.weights.trainable)
        assign(self._model.non_trainable_variables, state.weights.non_trainable)
        assign(self._model.optimizer.variables, state.optimizer)
        self._table = table
        if self._rate is not None:
            self._base = float(state.optimizer[self._rate])

    def epoch(self, order: NDArray[np.int32], steps: int, rate: float) -> float | None:
        """Train on ``steps`` rows of ``order`` ``(most steps, batch)``; ``rate`` scales the first learning rate."""
        if self._rate is not None:
            self._model.optimizer.variables[self._rate].assign(self._base * rate)
        self._model.reset_metrics()
        logs: dict[str, Any] = {}
        for rows in order[:steps]:
            x, y, *weight = take(self._table, rows)
            logs = self._model.train_on_batch(x, y, *weight, return_dict=True)
        return float(logs["loss"]) if "loss" in logs else None

    def weights(self) -> Weights:
        """Return copies of the present weights."""
        return Weights(_host(self._model.trainable_variables), _host(self._model.non_trainable_variables))

    def state(self) -> State:
        """Return copies of the present weights and the optimizer's variables, its first learning rate among them."""
        optimizer = _host(self._model.optimizer.variables)
        if self._rate is not None:
            optimizer[self._rate] = np.asarray(self._base, dtype=optimizer[self._rate].dtype)
        return State(self.weights(), optimizer)

    def predict(self, weights: Weights, x: Any) -> NDArray[Any]:
        """Return the model's output for the rows ``x``; the weights stay in the model."""
        assign(self._model.trainable_variables, weights.trainable)
        assign(self._model.non_trainable_variables, weights.non_trainable)
        return np.asarray(self._model.predict_on_batch(x))


def _host(variables: Any) -> list[Any]:
    return [np.array(variable.numpy()) for variable in variables]
