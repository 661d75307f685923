"""Keras on JAX: an epoch is one compiled program, a loop over the model's own ``train_step``.

Per-call overhead of ``fit`` is 0.65 to 1.3 ms a step, as much as a small model's step itself. Here the table lies on
the device, the host sends row numbers once an epoch, and the number of steps is data: splits of different sizes share
one program.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from workbench.training.keras_state import State, Weights, learning_rate_index

Table = tuple[Any, ...]
"""``(x, y)`` or ``(x, y, weight)`` of all rows."""


class JaxProgram:
    """A compiled model that trains any state on any table of equal shape."""

    def __init__(self, model: Any) -> None:
        """Take a model whose variables exist (`keras_state.prepare`)."""
        self._model = model
        self._rate = learning_rate_index(model.optimizer)
        self._metrics = [jnp.asarray(np.asarray(v.value)) for v in model.metrics_variables]
        self._state: Any = None
        self._table: Any = None
        self._says_loss = True
        self._epoch: Any = jax.jit(self._run)
        # What a call does when it is not told is the model's own choice; not every call can be told.
        told = {"training": False} if model._call_has_training_arg else {}
        self._predict = jax.jit(lambda weights, x: model.stateless_call(*weights, x, **told)[0])

    @property
    def compilations(self) -> int:
        """How many training programs were compiled."""
        return int(self._epoch._cache_size())

    def start(self, state: State, table: Table) -> None:
        """Begin a split with its initial state and its table."""
        values = (state.weights.trainable, state.weights.non_trainable, state.optimizer)
        self._state = jax.tree.map(jnp.asarray, values)
        self._table = jax.tree.map(jnp.asarray, table)

    def epoch(self, order: NDArray[np.int32], steps: int, rate: float) -> float | None:
        """Train on ``steps`` rows of ``order`` ``(most steps, batch)``; ``rate`` scales the first learning rate.

        Returns the mean loss, or ``None`` when the model's own ``train_step`` does not say it.
        """
        self._state, loss = self._epoch(self._state, self._table, order, steps, rate)
        return float(loss) if self._says_loss else None

    def weights(self) -> Weights:
        """Return the present weights; they are not changed by later epochs."""
        return Weights(self._state[0], self._state[1])

    def predict(self, weights: Weights, x: Any) -> NDArray[Any]:
        """Return the model's output for the rows ``x``, compiled once for each number of rows."""
        return np.asarray(self._predict((weights.trainable, weights.non_trainable), x))

    def _run(self, state: Any, table: Any, order: Any, steps: Any, rate: Any) -> Any:
        trainable, fixed, optimizer = state
        optimizer = list(optimizer)
        if self._rate is not None:
            base = optimizer[self._rate]
            optimizer[self._rate] = (base * rate).astype(base.dtype)
        carry = (trainable, fixed, optimizer, list(self._metrics))

        def step(index: Any, carry: Any) -> Any:
            batch = jax.tree.map(lambda array: array[order[index]], table)
            logs, new = self._model.train_step(carry[0], batch)
            # A train_step of the user's own may give other logs: only Keras' running mean 'loss' is reported.
            self._says_loss = "loss" in logs
            loss = jnp.asarray(logs.get("loss", 0.0), dtype=jnp.float32)
            return jax.tree.map(lambda value, old: value.astype(old.dtype), new, carry[0]), loss

        (trainable, fixed, optimizer, _), loss = jax.lax.fori_loop(0, steps, step, (carry, jnp.float32(0)))
        optimizer = list(optimizer)
        if self._rate is not None:
            optimizer[self._rate] = base
        return (trainable, fixed, optimizer), loss
