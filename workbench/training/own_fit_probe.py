"""What a factory's own ``fit`` declares: it is called before the search, on a few rows."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from workbench.models.problem import Problem
from workbench.training.build import Built, seeded
from workbench.training.keras_state import prepare
from workbench.training.material import Split
from workbench.training.own_fit import own_data, train

BATCH = 32
"""Rows in a step; a few rows are tried."""


def probe_fit(built: Built, split: Split, problem: Problem, *, run: bool) -> None:
    """Call the ``fit`` of a built model; what it declares is noted in ``built``, whose model is of no use afterwards.

    With ``run`` it trains for one epoch; else it ends where ``model.fit`` begins, by when hyperparameters are declared.

    Raises:
        FactoryError: it raised.
    """
    data = own_data(built, split, problem)
    rows = data.rows(split.train)
    prepare(built.model, (rows.x, rows.y))
    with seeded(split.seed), contextlib.suppress(_Declared):
        train(built, built, rows, rows, _Glance(epochs=int(run)), epochs=1, batch=built.recipe.batch_size or BATCH)


class _Declared(BaseException):
    """Ends a ``fit`` that has said what it declares; no ``except Exception`` of a user's stops it."""


class _Glance(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets a ``fit`` run for one epoch, or for none."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._left = epochs

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """End it before anything is compiled."""
        if self._left == 0:
            raise _Declared

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """End it."""
        self._left -= 1
        if self._left < 0:
            raise _Declared
        if self.model is not None:
            self.model.stop_training = True
