"""Keras on JAX: an epoch is one compiled program, a loop over the model's own ``train_step``.

Per-call overhead of ``fit`` is 0.65 to 1.3 ms a step, as much as a small model's step itself. Here the table lies on
the device, the host sends row numbers once an epoch, and the number of steps is data: splits of different sizes share
one program.

On a CPU a model with convolutions is called step by step instead: inside of a loop XLA's CPU convolutions take up to 50
times as long (https://github.com/jax-ml/jax/issues/12868): 12 s instead of 0.23 s an epoch of 1,000 images of 8 by 8.
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
        self._step: Any = jax.jit(self._run_one)
        self._by_step: bool | None = None
        # What a call does when it is not told is the model's own choice; not every call can be told.
        told = {"training": False} if model._call_has_training_arg else {}
        self._predict = jax.jit(lambda weights, x: model.stateless_call(*weights, x, **told)[0])

    @property
    def compilations(self) -> int:
        """How many training programs were compiled."""
        return int(self._epoch._cache_size()) + int(self._step._cache_size())

    def start(self, state: State, table: Table) -> None:
        """Begin a split with its initial state and its table."""
        values = (state.weights.trainable, state.weights.non_trainable, state.optimizer)
        self._state = jax.tree.map(jnp.asarray, values)
        self._table = jax.tree.map(jnp.asarray, table)

    def epoch(self, order: NDArray[np.int32], steps: int, rate: float) -> float | None:
        """Train on ``steps`` rows of ``order`` ``(most steps, batch)``; ``rate`` scales the first learning rate.

        Returns the mean loss, or ``None`` when the model's own ``train_step`` does not say it.
        """
        if self._by_step is None:
            self._by_step = jax.default_backend() == "cpu" and self._convolves(order, steps, rate)
        if self._by_step:
            loss = self._stepwise(order[:steps], rate)
        else:
            self._state, loss = self._epoch(self._state, self._table, order, steps, rate)
        return float(loss) if self._says_loss else None

    def weights(self) -> Weights:
        """Return the present weights; they are not changed by later epochs."""
        return Weights(self._state[0], self._state[1])

    def state(self) -> State:
        """Return the present weights and the optimizer's variables, its first learning rate among them."""
        return State(self.weights(), list(self._state[2]))

    def predict(self, weights: Weights, x: Any) -> NDArray[Any]:
        """Return the model's output for the rows ``x``, compiled once for each number of rows."""
        return np.asarray(self._predict((weights.trainable, weights.non_trainable), x))

    def _run(self, state: Any, table: Any, order: Any, steps: Any, rate: Any) -> Any:
        base = self._base_rate(state)

        def step(index: Any, carry: Any) -> Any:
            return self._stepped(carry[0], table, order[index])

        first = (self._opened(state, rate), jnp.float32(0))
        carry, loss = jax.lax.fori_loop(0, steps, step, first)
        return self._closed(carry, base), loss

    def _run_one(self, state: Any, table: Any, rows: Any, rate: Any) -> Any:
        carry, loss = self._stepped(self._opened(state, rate), table, rows)
        return self._closed(carry, self._base_rate(state)), loss

    def _stepwise(self, order: NDArray[np.int32], rate: float) -> Any:
        """Train on the rows of ``order`` ``(steps, batch)``, a call for each step; return the mean of the losses."""
        losses = []
        for rows in order:
            self._state, loss = self._step(self._state, self._table, rows, rate)
            losses.append(loss)
        return np.mean([float(loss) for loss in losses]) if losses else 0.0

    def _convolves(self, *arguments: Any) -> bool:
        """Say whether an epoch has convolutions; JAX keeps what it traced for the call that follows."""
        return "conv_general_dilated" in str(self._epoch.trace(self._state, self._table, *arguments).jaxpr)

    def _base_rate(self, state: Any) -> Any:
        return None if self._rate is None else state[2][self._rate]

    def _opened(self, state: Any, rate: Any) -> Any:
        """Return what Keras' ``train_step`` takes, with the learning rate scaled by ``rate``."""
        trainable, fixed, optimizer = state
        optimizer = list(optimizer)
        if self._rate is not None:
            base = optimizer[self._rate]
            optimizer[self._rate] = (base * rate).astype(base.dtype)
        return trainable, fixed, optimizer, list(self._metrics)

    def _closed(self, carry: Any, base: Any) -> Any:
        """Return the state after a ``train_step``, with its first learning rate."""
        trainable, fixed, optimizer, _ = carry
        optimizer = list(optimizer)
        if self._rate is not None:
            optimizer[self._rate] = base
        return trainable, fixed, optimizer

    def _stepped(self, carry: Any, table: Any, rows: Any) -> Any:
        """Train one step on ``rows`` ``(batch,)``; return what ``train_step`` takes next, and the loss."""
        batch = jax.tree.map(lambda array: array[rows], table)
        logs, new = self._model.train_step(carry, batch)
        # A train_step of the user's own may give other logs: only Keras' running mean 'loss' is reported.
        self._says_loss = "loss" in logs
        loss = jnp.asarray(logs.get("loss", 0.0), dtype=jnp.float32)
        return jax.tree.map(lambda value, old: value.astype(old.dtype), new, carry), loss
