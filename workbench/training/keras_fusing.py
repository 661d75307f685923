"""Whether the splits of a Keras model train as one program, how, and if not, why."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import psutil
from numpy.typing import NDArray

from workbench.training import setup_clock
from workbench.training.keras_fit import FitTrainer, traced
from workbench.training.keras_program import Start, Table, Trainer
from workbench.types import Job

Strategy = Literal["map", "vmap", "shard"]

LOG = logging.getLogger("workbench.fusing")
MEMORY_SHARE = 0.5
"""Of the memory that is free: what the tables and states of all splits may take."""
MEASURED_STEPS = 20

_fastest: dict[tuple[str, int], Strategy] = {}


class Grouping:
    """Decides for one configuration, and makes the trainer of its groups."""

    def __init__(self, job: Job, *, uniform: bool) -> None:
        """Take a job, and whether all splits have as many steps in an epoch."""
        self._job, self._uniform = job, uniform
        self._model: Any = None
        self._step: Any = None
        self._trainers: dict[int, Trainer] = {}
        self._by_fit = ""
        self.decided = 0
        """For how many splits; 0 before `decide`."""
        self.strategy: Strategy | Literal[""] = ""
        self.reason = ""

    def decide(self, model: Any, batch: Table, table: Table, splits: int) -> None:
        """Decide for a prepared model, a batch and the table of a split, and the number of splits.

        It may be asked again for another number of splits; the model is traced once.
        """
        if not self.decided:
            self._model = model
            self._step, self._by_fit = traced(model, batch)
        self.decided = splits
        self.reason = self._reason(table, splits)
        self.strategy = "" if self.reason else self._open[0]
        if self.reason:
            LOG.info("%s: splits train one after another: %s", self._job.family.name, self.reason)

    def trainer(self, starts: Sequence[Start], orders: Sequence[NDArray[np.int32]], watched: int) -> Trainer:
        """Return the trainer of a group.

        Args:
            starts: of its splits.
            orders: row numbers ``(steps, batch)`` of an epoch of each split, with as many steps as any split may have.
            watched: the most rows of a split that are predicted after an epoch.
        """
        splits, steps = len(starts), max(map(len, orders))
        if splits not in self._trainers:
            if self.strategy and len(self._open) > 1:
                with setup_clock.still_running():
                    self._measure(starts, orders, watched)
            self._trainers[splits] = self._make(splits, steps, watched)
        return self._trainers[splits]

    def _measure(self, starts: Sequence[Start], orders: Sequence[NDArray[np.int32]], watched: int) -> None:
        """Choose the fastest of several ways, once for each family in this process.

        They compute the same, bit for bit: which one is chosen changes no result.
        """
        known = (self._job.family.factory, len(starts))
        if known not in _fastest:
            few = [order[:MEASURED_STEPS] for order in orders]
            seconds = {}
            for strategy in self._open:
                self.strategy = strategy
                trainer = self._make(len(starts), max(map(len, orders)), watched)
                trainer.begin(starts)
                trainer.epoch(few, 1.0, [True] * len(starts))
                seconds[strategy] = min(_timed(trainer, few) for _ in range(2))
            _fastest[known] = min(seconds, key=lambda strategy: seconds[strategy])
            told = ", ".join(f"{strategy} {1e3 * each:.1f} ms" for strategy, each in seconds.items())
            LOG.info("%s: %d splits at once, a few steps: %s", self._job.family.name, len(starts), told)
        self.strategy = _fastest[known]

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
        needed, free = splits * self._bytes(table), _free_bytes()
        if needed > MEMORY_SHARE * free:
            return f"{splits} tables at once take {needed / 1e6:.0f} MB, too much of the {free / 1e6:.0f} MB left"
        if self._job.settings.fuse == "auto" and self._open == ("map",) and self._job.may_be_pruned:
            return "on one core they train as fast, and a trial may be pruned after the first of them"
        return ""

    @property
    def _open(self) -> tuple[Strategy, ...]:
        """The ways to train splits at once, the usual one first."""
        import jax

        asked = self._job.settings.fuse
        if asked != "auto" and asked != "off":
            return (asked,) if self._uniform or asked != "vmap" else ("map",)
        if jax.default_backend() != "cpu":
            return ("vmap",) if self._uniform else ("map",)
        if jax.local_device_count() == 1:
            return ("map",)
        return ("shard",) if self._job.settings.deterministic else ("shard", "map")

    def _bytes(self, table: Table) -> int:
        """Return the bytes of a split's table, with its watched rows at most, and of its state and best weights."""
        rows = sum(np.asarray(array).nbytes for array in keras.tree.flatten(table))
        variables = (*self._model.variables, *self._model.optimizer.variables)
        return 2 * rows + 2 * sum(int(np.prod(v.shape)) * 4 for v in variables)


def _timed(trainer: Trainer, orders: Sequence[NDArray[np.int32]]) -> float:
    began = time.perf_counter()
    trainer.epoch(orders, 1.0, [True] * len(orders))
    return time.perf_counter() - began


def _free_bytes() -> int:
    """Return the memory that is left where programs run."""
    import jax

    statistics = jax.local_devices()[0].memory_stats()  # a CPU has none
    if not statistics:
        return int(psutil.virtual_memory().available)
    return int(statistics["bytes_limit"]) - int(statistics["bytes_in_use"])
