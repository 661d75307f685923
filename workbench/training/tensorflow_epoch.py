"""An epoch on TensorFlow: one call of a graph that loops over the model's own ``train_step``.

``train_on_batch`` costs 1.9 ms a step of a network with two layers of 8, where nothing is arithmetic; the loop in the
graph 0.3 ms. Tables lie on the device, the host sends row numbers once an epoch, and their number is data: splits of
different sizes share one trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workbench.errors import FactoryError
from workbench.training.keras_fit import untraceable
from workbench.training.tensorflow_registry import forget_reductions


class Epochs:
    """The epochs of one compiled model, whatever its variables hold and whatever the table."""

    def __init__(self, model: Any) -> None:
        """Take a model whose variables exist (`keras_state.prepare`)."""
        self._model = model
        self._says_loss = False
        # XLA compiles the step and not the loop, as Keras does: the size of the table is no part of the program, and
        # convolutions in a loop are slow (`jax_trainer.slow_in_loops`).
        self._step: Any = model.train_step
        if model.jit_compile:
            self._step = tf.function(model.train_step, autograph=False, jit_compile=True)
        # Without AutoGraph, as Keras has it: what fit() takes, this takes, and nothing else.
        self._loop: Any = tf.function(self._run, autograph=False)

    @property
    def traces(self) -> int:
        """How many times the loop was traced."""
        return int(self._loop.experimental_get_tracing_count())

    def __call__(self, table: Any, order: NDArray[np.int32]) -> float | None:
        """Train one step on each row of ``order`` ``(steps, batch)``, which holds numbers of the table's rows.

        Returns Keras' running mean ``loss``, or ``None`` when the model's own ``train_step`` does not say it.

        Raises:
            FactoryError: the ``train_step`` cannot be made a graph.
        """
        self._model.reset_metrics()
        loss = self._graph(table, order)
        return float(loss) if self._says_loss and len(order) else None

    def _graph(self, table: Any, order: NDArray[np.int32]) -> Any:
        program = self._traced(table, order.shape[1])
        try:
            # As int64, because TensorFlow keeps int32 in the host's memory on a GPU, and would copy it each step.
            return program(table, tf.constant(order, dtype=tf.int64))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not self._model.jit_compile:
                raise
            raise FactoryError(
                f"XLA cannot compile the model's training step: {error}. Leave it out with training.jit_compile: false"
            ) from error

    def _traced(self, table: Any, batch: int) -> Any:
        """Return the graph for tables of this structure, of any number of rows; it is traced once."""
        traces = self.traces
        try:
            return self._loop.get_concrete_function(
                keras.tree.map_structure(_any_rows, table), tf.TensorSpec((None, batch), tf.int64)
            )
        except Exception as error:
            raise untraceable(error) from error
        finally:
            if self.traces > traces:
                forget_reductions()

    def _run(self, table: Any, order: Any) -> Any:
        def step(index: Any, _: Any) -> Any:
            return index + 1, self._loss(self._step(_gather(table, order[index])))

        steps = tf.shape(order)[0]
        return tf.while_loop(lambda index, _: index < steps, step, (tf.constant(0), tf.constant(0.0)))[1]

    def _loss(self, logs: Any) -> Any:
        # A train_step of the user's own may give other logs, or none.
        self._says_loss = isinstance(logs, Mapping) and "loss" in logs
        return tf.reduce_mean(tf.cast(logs["loss"], tf.float32)) if self._says_loss else tf.constant(0.0)


def _any_rows(array: Any) -> Any:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


def _gather(table: Any, rows: Any) -> Any:
    return keras.tree.map_structure(lambda array: tf.gather(array, rows), table)
