"""Whether the splits of a Keras model train as one program, how, and if not, why."""

from __future__ import annotations

import logging
from typing import Any, Literal

import keras
import numpy as np
import psutil

from workbench.training.keras_fit import FitTrainer, traced
from workbench.training.keras_program import Table, Trainer
from workbench.types import Job

Strategy = Literal["map", "vmap", "shard"]

LOG = logging.getLogger("workbench.fusing")
MEMORY_SHARE = 0.5
"""Of the memory that is free: what the tables and states of all splits may take."""


class Grouping:
    """Decides for one configuration, and makes the trainer of its groups."""

    def __init__(self, job: Job, *, uniform: bool) -> None:
        """Take a job, and whether all splits have as many steps in an epoch."""
        self._job, self._uniform = job, uniform
        self._model: Any = None
        self._step: Any = None
        self._trainers: dict[int, Trainer] = {}
        self._by_fit = ""
        self.decided = False
        self.strategy: Strategy | Literal[""] = ""
        self.reason = ""

    def decide(self, model: Any, batch: Table, table: Table, splits: int) -> None:
        """Decide for a prepared model, a batch and the table of a split, and the number of splits."""
        self._model, self.decided = model, True
        self._step, self._by_fit = traced(model, batch)
        self.reason = self._reason(table, splits)
        self.strategy = "" if self.reason else self._strategy()
        if self.reason:
            LOG.info("%s: splits train one after another: %s", self._job.family.name, self.reason)

    def trainer(self, splits: int, *, steps: int, watched: int) -> Trainer:
        """Return the trainer of groups of so many splits, with at most so many steps an epoch and watched rows."""
        if splits not in self._trainers:
            self._trainers[splits] = self._make(splits, steps, watched)
        return self._trainers[splits]

    def _make(self, splits: int, steps: int, watched: int) -> Trainer:
        if self._by_fit:
            return FitTrainer(self._model)
        if self._step is None:
            from workbench.training.keras_tensorflow import TensorFlowTrainer

            return TensorFlowTrainer(self._model, jit_compile=self._job.settings.jit_compile)
        from workbench.training.jax_layout import Layout
        from workbench.training.jax_trainer import JaxTrainer

        layout = Layout(self.strategy or "map", splits)
        return JaxTrainer(self._model, self._step, layout, steps=steps, watched=watched)

    def _reason(self, table: Table, splits: int) -> str:
        if self._by_fit:
            return self._by_fit
        if self._step is None:
            return f"Keras runs on {keras.backend.backend()}; splits train as one program on JAX"
        if self._job.settings.fuse == "off":
            return "training.fuse is 'off'"
        if splits == 1:
            return "there is one split"
        from workbench.training.jax_trainer import slow_in_loops

        if slow_in_loops(self._step):
            return "it has convolutions, which are slow within a loop on a CPU; each step is a call"
        needed, free = splits * self._bytes(table), psutil.virtual_memory().available
        if needed > MEMORY_SHARE * free:
            return f"{splits} tables at once take {needed / 1e6:.0f} MB, too much of the {free / 1e6:.0f} MB left"
        if self._job.settings.fuse == "auto" and self._strategy() == "map" and self._job.may_be_pruned:
            return "on one core they train as fast, and a trial may be pruned after the first of them"
        return ""

    def _strategy(self) -> Strategy:
        import jax

        asked = self._job.settings.fuse
        if asked == "vmap" and not self._uniform:
            return "map"
        if asked != "auto" and asked != "off":
            return asked
        if jax.default_backend() != "cpu":
            return "vmap" if self._uniform else "map"
        return "shard" if jax.local_device_count() > 1 else "map"

    def _bytes(self, table: Table) -> int:
        """Return the bytes of a split's table, with its watched rows at most, and of its state and best weights."""
        rows = sum(np.asarray(array).nbytes for array in keras.tree.flatten(table))
        variables = (*self._model.variables, *self._model.optimizer.variables)
        return 2 * rows + 2 * sum(int(np.prod(v.shape)) * 4 for v in variables)
