"""Training of a group of splits on JAX: an epoch of all of them is one call of one compiled program.

Per-call overhead of ``fit`` is 0.65 to 1.3 ms a step, as much as a small model's step itself, and each ``fit``
compiles. Here tables and state lie on the device, the host sends row numbers once an epoch, and the number of steps is
data: splits of different sizes share one program.

On a CPU a model with convolutions is called step by step instead: inside of a loop XLA's CPU convolutions take up to 50
times as long (https://github.com/jax-ml/jax/issues/12868): 12 s instead of 0.23 s an epoch of 1,000 images of 8 by 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from workbench.training import jax_programs, setup_clock
from workbench.training.jax_layout import Layout
from workbench.training.jax_predictor import JaxPredictor
from workbench.training.jax_train_step import TrainStep
from workbench.training.keras_batches import few_sizes, filled
from workbench.training.keras_feed import count
from workbench.training.keras_program import Start
from workbench.training.keras_state import State, Weights, averages_index


def slow_in_loops(step: TrainStep) -> bool:
    """Say whether a step must not be in a loop, which is so with convolutions on a CPU."""
    return jax.default_backend() == "cpu" and step.program.uses("conv_general_dilated")


class JaxTrainer:
    """Trains a group of splits; see `workbench.training.keras_program.Trainer`."""

    def __init__(self, model: Any, step: TrainStep, layout: Layout, *, steps: int, watched: int) -> None:
        """Take a model, its traced step, how splits lie, and the most steps of an epoch and rows that are watched."""
        self._step, self._layout = step, layout
        self._trainable = len(model.trainable_variables)
        self._averages = [step.weights + place for place in averages_index(model.optimizer)]
        self._by_step = slow_in_loops(step)
        self._steps = 1 if self._by_step else few_sizes(steps, least=8)
        self.predictor = JaxPredictor(model, layout, watched or None)
        self._numbers: dict[str, Any] = {}
        self._table: list[Any] = []
        self._watched: list[Any] = []
        self._counts: list[int] = []
        self._improved = np.zeros(0, dtype=bool)
        self._program: Any = None

    def begin(self, starts: Sequence[Start]) -> None:
        """Put the splits' numbers and tables on the devices."""
        stack = self._layout.stack_trees
        self._numbers = {
            "state": stack([[*_values(start.state.weights), *start.state.optimizer] for start in starts]),
            "best": stack([_values(start.best or start.state.weights) for start in starts]),
        }
        rows = few_sizes(count(starts[0].table))
        self._table = stack([jax.tree.leaves(filled(start.table, rows)) for start in starts])
        self._counts = [count(start.watched) for start in starts]
        self._watched = self.predictor.chunks([start.watched for start in starts])
        self._improved = np.zeros(self._layout.slots, dtype=bool)

    def epoch(self, orders: Sequence[NDArray[np.int32]], rate: float, live: Sequence[bool]) -> list[float | None]:
        """Train an epoch."""
        if not self._by_step:
            losses = self._call(orders, rate, live)
        else:
            calls = range(max(map(len, orders)))
            parts = [self._call([order[i : i + 1] for order in orders], rate, live) for i in calls]
            losses = np.mean([np.asarray(part) for part in parts], axis=0) if parts else np.zeros(len(orders))
        return [float(loss) if self._step.says_loss else None for loss in np.asarray(losses)[: len(orders)]]

    def watched(self) -> list[NDArray[Any]]:
        """Return what is predicted for the watched rows."""
        weights = self._shown(self._numbers["state"])
        parts = [self.predictor(weights, x) for x in self._watched]
        whole = np.concatenate([np.asarray(part) for part in parts], axis=1)
        return [whole[slot, :rows] for slot, rows in enumerate(self._counts)]

    def keep(self, improved: Sequence[bool]) -> None:
        """Take note of it; the next epoch's program copies the weights before it trains."""
        self._improved[: len(improved)] = improved

    def best(self, split: int) -> Weights:
        """Return the best weights of a split."""
        improved = self._improved[split]
        return self._weights(self._shown(self._numbers["state"]) if improved else self._numbers["best"], split)

    def state(self, split: int) -> State:
        """Return the present weights and the optimizer's variables, its first learning rate among them."""
        state = self._numbers["state"]
        optimizer = [np.asarray(array)[split] for array in state[self._step.weights :]]
        return State(self._weights(state, split), optimizer)

    def end(self) -> None:
        """Let go of the splits' tables and numbers."""
        self._numbers, self._table, self._watched = {}, [], []

    def _shown(self, state: Sequence[Any]) -> list[Any]:
        """Return the weights that predict: the optimizer's averages where it keeps some."""
        trained = [state[place] for place in self._averages] or state[: self._trainable]
        return [*trained, *state[self._trainable : self._step.weights]]

    def _weights(self, arrays: Sequence[Any], split: int) -> Weights:
        taken = [np.array(np.asarray(array)[split]) for array in arrays[: self._step.weights]]
        return Weights(taken[: self._trainable], taken[self._trainable :])

    def _call(self, orders: Sequence[NDArray[np.int32]], rate: float, live: Sequence[bool]) -> Any:
        order = np.zeros((self._layout.slots, self._steps, orders[0].shape[1]), dtype=np.int32)
        steps = np.zeros(self._layout.slots, dtype=np.int32)
        for slot, rows in enumerate(orders):
            order[slot, : len(rows)], steps[slot] = rows, len(rows) if live[slot] else 0
        shared = {
            "outside": self._step.outside.arguments,
            "fresh": self._step.fresh,
            "rate": np.float32(rate),
            "steps": steps.max(),
        }
        own = {
            "numbers": self._numbers,
            "improved": self._improved,
            "table": self._table,
            "order": order,
            "steps": steps,
        }
        if self._program is None:
            key = None if self._step.outside.key is None else f"{self._step.outside.key} {self._averages}"
            self._program = jax_programs.compiled(key, self._layout, self._epoch_of_one, shared, own, "numbers")
        setup_clock.ready()
        found = self._program(shared, own)
        self._numbers, self._improved = found["numbers"], np.zeros(self._layout.slots, dtype=bool)
        return found["loss"]

    def _epoch_of_one(self, shared: Any, own: Any) -> Any:
        """Train one split, within a trace; weights that have improved are kept before."""
        step, state = self._step, own["numbers"]["state"]
        kept = zip(self._shown(state), own["numbers"]["best"], strict=True)
        best = [jnp.where(own["improved"], now, before) for now, before in kept]

        def trained(index: Any, carry: Any) -> Any:
            numbers, metrics, _ = carry
            rows = own["order"][index]
            batch = [array.at[rows].get(mode="promise_in_bounds") for array in own["table"]]
            return step(shared["outside"], numbers, metrics, batch, shared["rate"])

        nothing = (state, shared["fresh"], jnp.float32(0))
        if self._by_step:
            state, _, loss = jax.lax.cond(own["steps"] > 0, lambda: trained(0, nothing), lambda: nothing)
        elif self._layout.strategy == "vmap":
            # Splits in one batch share the number of steps: with one of their own each step would be masked.
            found = jax.lax.fori_loop(0, shared["steps"], trained, nothing)
            state, _, loss = jax.tree.map(lambda new, old: jnp.where(own["steps"] > 0, new, old), found, nothing)
        else:
            state, _, loss = jax.lax.fori_loop(0, own["steps"], trained, nothing)
        return {"numbers": {"state": state, "best": best}, "loss": loss}


def _values(weights: Weights) -> list[Any]:
    return [*weights.trainable, *weights.non_trainable]
