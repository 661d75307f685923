"""Training and inference in a Keras model's own variables, by what Keras offers on any backend."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.training import setup_clock
from workbench.training.keras_batches import batches
from workbench.training.keras_feed import Feed
from workbench.training.keras_program import Start, Table
from workbench.training.keras_state import State, Weights, assign, averages_index, learning_rate_index
from workbench.training.keras_targets import primary


class InPlaceTrainer(ABC):
    """Base of trainers of one split after another in the same model: it is traced once, whatever their number.

    See `workbench.training.keras_program.Trainer`.
    """

    def __init__(self, model: Any, *, jit_compile: bool | None = None) -> None:
        """Take a model whose variables exist (`keras_state.prepare`).

        Args:
            model: Compiled; its variables hold what is being trained, until the next split begins.
            jit_compile: Whether XLA compiles the training step; ``None`` leaves it to ``model.compile``.
        """
        if jit_compile is not None:
            model.jit_compile = jit_compile
        self._model = model
        self._rate = learning_rate_index(model.optimizer)
        self._base = 0.0
        self.predictor = InPlacePredictor(model)
        self._watched: list[tuple[Feed, int]] = []
        self._best = Weights([], [])

    def begin(self, starts: Sequence[Start]) -> None:
        """Begin a split.

        Raises:
            ValueError: there are several starts; splits share no program here.
        """
        _single(starts)
        start = starts[0]
        _load(self._model, start.state.weights)
        assign(self._model.optimizer.variables, start.state.optimizer)
        if self._rate is not None:
            self._base = float(start.state.optimizer[self._rate])
        self._take(start.table)
        self._watched = [(on_device(batch), rows) for batch, rows in batches(start.watched)]
        self._best = start.best or start.state.weights

    def epoch(self, orders: Sequence[NDArray[np.int32]], rate: float, live: Sequence[bool]) -> list[float | None]:
        """Train an epoch on the rows of ``orders[0]`` ``(steps, batch)``; ``rate`` scales the first learning rate.

        Returns the mean loss; ``None`` when the model's own ``train_step`` does not say it, or the split is not live.

        Raises:
            FactoryError: the model's own code cannot be run.
        """
        _single(orders)
        if not live[0]:
            return [None]
        if self._rate is not None:
            self._model.optimizer.variables[self._rate].assign(self._base * rate)
        setup_clock.ready()  # tracing is a part of the first epoch
        return [self._train(orders[0])]

    def watched(self) -> list[NDArray[Any]]:
        """Return what the present weights predict for the watched rows."""
        if not averages_index(self._model.optimizer):
            with _unchanged(self._model.non_trainable_variables):
                return [_prediction(self._model, self._watched)]
        with _unchanged(_variables(self._model)):
            _load(self._model, self._shown())
            return [_prediction(self._model, self._watched)]

    def keep(self, improved: Sequence[bool]) -> None:
        """Keep copies of the present weights as the best so far, where ``improved``."""
        if improved[0]:
            self._best = self._shown()

    def best(self, split: int) -> Weights:  # noqa: ARG002 - there is one
        """Return the weights that were kept last, or else those that the split began with."""
        return self._best

    def state(self, split: int) -> State:  # noqa: ARG002 - there is one
        """Return copies of the present weights and the optimizer's variables, its first learning rate among them."""
        optimizer = _host(self._model.optimizer.variables)
        if self._rate is not None:
            optimizer[self._rate] = np.asarray(self._base, dtype=optimizer[self._rate].dtype)
        return State(_weights(self._model), optimizer)

    def end(self) -> None:
        """Let go of the split's rows."""
        self._watched = []
        self._take(None)

    def _shown(self) -> Weights:
        """Return copies of the weights that predict: the optimizer's averages where it keeps some."""
        weights, optimizer = _weights(self._model), self._model.optimizer
        averages = [optimizer.variables[place] for place in averages_index(optimizer)]
        return Weights(_host(averages), weights.non_trainable) if averages else weights

    @abstractmethod
    def _take(self, table: Table | None) -> None:
        """Take the rows of a split; ``None`` lets go of them."""

    @abstractmethod
    def _train(self, order: NDArray[np.int32]) -> float | None:
        """Train an epoch."""


class InPlacePredictor:
    """A model's inference under any weights."""

    def __init__(self, model: Any) -> None:
        """Take a model whose variables exist; a trainer may use it too."""
        self._model = model

    def predict(self, weights: Weights, x: Feed) -> NDArray[Any]:
        """Return the output for the rows of ``x``, any number of them; the model's own weights are as before.

        The model computes with its own variables: a layer may hold graphs of its own that refer to them.
        """
        with _unchanged(_variables(self._model)):
            _load(self._model, weights)
            return _prediction(self._model, batches(x))


def on_device(table: Any) -> Any:
    """Return a tree of arrays as the backend's tensors."""
    return keras.tree.map_structure(keras.ops.convert_to_tensor, table)


def _single(splits: Sequence[Any]) -> None:
    if len(splits) != 1:
        raise ValueError(f"in the model's own variables one split is trained at a time, got {len(splits)}")


def _variables(model: Any) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables]


@contextlib.contextmanager
def _unchanged(variables: Sequence[Any]) -> Iterator[None]:
    """Give variables their values back: an inference may count, or draw random numbers."""
    present = [keras.ops.copy(variable.value) for variable in variables]
    try:
        yield
    finally:
        assign(variables, present)


def _load(model: Any, weights: Weights) -> None:
    assign(_variables(model), [*weights.trainable, *weights.non_trainable])


def _weights(model: Any) -> Weights:
    return Weights(_host(model.trainable_variables), _host(model.non_trainable_variables))


def _prediction(model: Any, parts: Iterable[tuple[Feed, int]]) -> NDArray[Any]:
    """Return the prediction among the outputs; Keras keeps the traced function with the model, for all who ask."""
    # What inference is, the model's own predict_step may say.
    return np.concatenate([primary(model, model.predict_on_batch(batch))[:rows] for batch, rows in parts])


def _host(variables: Any) -> list[Any]:
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]
