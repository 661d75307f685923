"""A Keras model as a program: what the backends have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.training.keras_feed import Feed, feed
from workbench.training.keras_state import State, Weights

Table = tuple[Any, ...]
"""``(x, y)`` or ``(x, y, weight)`` of all rows: trees of arrays."""


@dataclass(frozen=True)
class Start:
    """What a split's training begins with."""

    state: State
    table: Table
    watched: Feed
    """The rows that are predicted after each epoch."""
    best: Weights | None = None
    """The best weights so far, of a training that goes on from a checkpoint; those of ``state`` if absent."""


class Trainer(Protocol):
    """A compiled model that trains a group of splits, each from its own numbers, on tables of equal shape."""

    @property
    def predictor(self) -> Predictor:
        """What predicts with the weights of any split."""
        ...

    def begin(self, starts: Sequence[Start]) -> None:
        """Begin the splits of a group."""
        ...

    def epoch(self, orders: Sequence[NDArray[np.int32]], rate: float, live: Sequence[bool]) -> list[float | None]:
        """Train each live split on its ``(steps, batch)`` row numbers; all others stay as they are.

        Args:
            orders: a split's batches.
            rate: scales the first learning rate.
            live: which splits train.

        Returns:
            Mean losses; ``None`` where the model's own ``train_step`` does not say it.
        """
        ...

    def watched(self) -> list[NDArray[Any]]:
        """Return the model's output for the watched rows of each split, with the present weights."""
        ...

    def keep(self, improved: Sequence[bool]) -> None:
        """Take the present weights of some splits for the best so far."""
        ...

    def best(self, split: int) -> Weights:
        """Return the best weights of a split, by its place in the group."""
        ...

    def state(self, split: int) -> State:
        """Return the present state: a training that starts from it goes on as this one would."""
        ...

    def end(self) -> None:
        """Let go of the splits' tables and numbers."""
        ...


class Predictor(Protocol):
    """A compiled model that predicts with any weights."""

    def predict(self, weights: Weights, x: Feed) -> NDArray[Any]:
        """Return the output ``(rows, …)`` for any number of rows."""
        ...


def make_predictor(model: Any) -> Predictor:
    """Return a predictor on this process' backend; on JAX what Keras would not compile predicts in Python."""
    if keras.backend.backend() == "jax" and model.jit_compile:
        from workbench.training.jax_predictor import JaxPredictor

        return JaxPredictor(model)
    from workbench.training.keras_in_place import InPlacePredictor

    return InPlacePredictor(model)


def predict(predictor: Predictor, weights: Weights, model: Any, prepared: Prepared) -> NDArray[Any]:
    """Return the output ``(rows, …)`` for prepared rows."""
    return predictor.predict(weights, feed(model, prepared))
