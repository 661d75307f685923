"""One step of a compiled Keras model on JAX, traced once: the model's own ``train_step`` as a program of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from workbench.training.jax_arguments import Outside, shaped
from workbench.training.jax_flat import FlatProgram, flatten
from workbench.training.keras_state import learning_rate_index


class TrainStep:
    """A traced training step. Its numbers are those of `numbers`: weights, optimizer, and metrics that a loss needs."""

    def __init__(self, model: Any, batch: Any) -> None:
        """Trace a model whose variables exist (`keras_state.prepare`).

        Args:
            model: compiled.
            batch: ``(x, y)`` or ``(x, y, weight)``, trees of arrays; only shapes and dtypes matter.
        """
        self._rate = learning_rate_index(model.optimizer)
        self.says_loss = True
        groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        state = [[_shape(variable.value) for variable in group] for group in groups]
        metrics = [_shape(variable.value) for variable in model.metrics_variables]
        self.weights = len(state[0]) + len(state[1])
        self._state = self.weights + len(state[2])
        self._batch = len(jax.tree.leaves(batch))
        shapes = jax.tree.map(_shape, batch)
        traced = jax.jit(lambda *given: self._step(model, *given)).trace(*state, metrics, shapes, _shape(np.float32(1)))
        whole = flatten(traced.jaxpr)
        self._metrics = _needed_metrics(whole, self._state, len(metrics))
        self.program = whole.only(_outputs(self._state, self._metrics, len(metrics)))
        self.outside = Outside(self.program)
        variables = model.metrics_variables
        self.fresh = [np.asarray(variables[i].value) for i in self._metrics]
        """What the metrics begin an epoch with."""

    def __call__(self, outside: Any, numbers: Sequence[Any], fresh: Sequence[Any], batch: Any, rate: Any) -> Any:
        """Train a step within a trace.

        Args:
            outside: what `outside` holds, as arguments.
            numbers: weights and optimizer's variables.
            fresh: the metrics' values so far.
            batch: leaves of the batch.
            rate: scales the first learning rate.

        Returns:
            Numbers and metrics after the step, and the loss.
        """
        metrics: list[Any] = [None] * (self.program.inputs - len(numbers) - self._batch - 1)
        for position, value in zip(self._metrics, fresh, strict=True):
            metrics[position] = value
        found = self.outside.run(outside, [*numbers, *metrics, *batch, rate])
        return found[: self._state], found[self._state : -1], found[-1]

    def _step(self, model: Any, trainable: Any, fixed: Any, optimizer: Any, metrics: Any, batch: Any, rate: Any) -> Any:
        before = (trainable, fixed, list(optimizer), metrics)
        if self._rate is not None:
            base = optimizer[self._rate]
            optimizer = [*optimizer]
            optimizer[self._rate] = (base * rate).astype(base.dtype)
        logs, after = model.train_step((trainable, fixed, optimizer, metrics), batch)
        # A train_step of the user's own may give other logs: only Keras' running mean 'loss' is reported.
        self.says_loss = "loss" in logs
        # In whatever sequences it may give them.
        trainable, fixed, optimizer, metrics = map(list, after)
        if self._rate is not None:
            optimizer[self._rate] = base
        after = jax.tree.map(lambda new, old: new.astype(old.dtype), (trainable, fixed, optimizer, metrics), before)
        return after, jnp.asarray(logs.get("loss", 0.0), dtype=jnp.float32)


def _needed_metrics(program: FlatProgram, state: int, metrics: int) -> list[int]:
    """Return the positions of the metric variables that weights or loss follow from, over any number of steps."""
    kept: list[int] = []
    while True:
        needed = program.only(_outputs(state, kept, metrics)).needed
        found = [position for position in range(metrics) if state + position in needed]
        if found == kept:
            return kept
        kept = found


def _outputs(state: int, kept: Sequence[int], metrics: int) -> list[int]:
    return [*range(state), *(state + position for position in kept), state + metrics]


def _shape(array: Any) -> Any:
    return shaped(np.shape(array), array.dtype)
