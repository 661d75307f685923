"""Keras: one compiled model trains every split, each from the initial numbers of a fresh build under its own seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import TrialStopped
from workbench.models.problem import Problem
from workbench.seeds import derive_seed
from workbench.training import keras_program
from workbench.training.build import Built, Rebuild
from workbench.training.checkpoints import Checkpoints
from workbench.training.fitted import FittedSplit
from workbench.training.keras_checkpoint import KerasCheckpoint
from workbench.training.keras_feed import feed, take, targets
from workbench.training.keras_program import Program, make_program, predict_feed
from workbench.training.keras_state import Weights, parameters, prepare, same_shapes, state_of
from workbench.training.material import Split
from workbench.training.outputs import in_units
from workbench.training.watcher import Watcher
from workbench.types import TrainingSettings


class KerasFitter:
    """Fits one configuration with one compiled program."""

    def __init__(
        self,
        built: Built,
        problem: Problem,
        settings: TrainingSettings,
        folds: Sequence[int],
        rebuild: Rebuild,
        checkpoints: Checkpoints,
    ) -> None:
        """Take a built model, the training rows of each split, how to build it again, and the fit's checkpoints."""
        recipe = built.recipe
        self._problem, self._rebuild, self._recipe, self._checkpoints = problem, rebuild, recipe, checkpoints
        self._batch = max(1, min(recipe.batch_size or settings.batch_size, *folds))
        self._most_steps = max(folds) // self._batch
        self._epochs = min(recipe.epochs or settings.epochs, settings.epochs)
        self.patience = recipe.patience or settings.patience
        self._model = built.model
        self._program: Program | None = None
        self.weights = 0

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Train until the watcher has seen nothing better for its patience; keep the best epoch's weights."""
        table, watched = self._table(split), take(self._feed(split), split.watch)
        program = self._start(split, table)
        rng = np.random.default_rng(derive_seed(split.seed, "shuffle"))
        checkpoint = KerasCheckpoint(self._checkpoints, split.index)
        best = checkpoint.restore(program, table, watcher, rng) or program.weights()
        while watcher.epoch < self._epochs and not watcher.done:
            order, steps = self._order(rng, split.train)
            loss = program.epoch(order, steps, self._rate(watcher.epoch))
            weights = program.weights()
            raw = predict_feed(program, weights, watched)
            try:
                watcher.judge(in_units(raw, len(split.watch), split.target, self._problem), loss)
            except TrialStopped:
                checkpoint.save(program, weights if watcher.improved else best, watcher, rng)
                raise
            if watcher.improved:
                best = weights
            if checkpoint.due and not watcher.done:
                checkpoint.save(program, best, watcher, rng)
        return FittedSplit(KerasFoldModel(self._model, program, best), watcher.best_epoch, watcher.epoch)

    def _feed(self, split: Split) -> Any:
        return feed(self._model, split.prepared.table)

    def _table(self, split: Split) -> tuple[Any, ...]:
        y = targets(split.target.forward(split.y), self._problem, self._model)
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        x = self._feed(split)
        return (x, y) if weight is None else (x, y, np.asarray(weight, dtype=np.float32))

    def _start(self, split: Split, table: tuple[Any, ...]) -> Program:
        fresh = self._rebuild(split.seed).model
        batch = take(table, np.zeros(self._batch, dtype=np.intp))
        prepare(fresh, batch)
        state = state_of(fresh)
        if self._program is None:
            prepare(self._model, batch)
            self.weights = parameters(self._model)
            self._program = make_program(self._model)
        same_shapes(state, state_of(self._model))
        self._program.start(state, table)
        return self._program

    def _order(self, rng: np.random.Generator, train: NDArray[np.intp]) -> tuple[NDArray[np.int32], int]:
        """Return a permutation in full batches; what is left over is dropped, another part in each epoch.

        Batches are never filled up with rows of no weight: they would change batch normalisation.
        """
        steps = len(train) // self._batch
        order = np.zeros((self._most_steps, self._batch), dtype=np.int32)
        order[:steps] = rng.permutation(train)[: steps * self._batch].reshape(steps, self._batch)
        return order, steps

    def _rate(self, epoch: int) -> float:
        if self._recipe.schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * epoch / self._epochs))


class KerasFoldModel:
    """The weights of one split and the program that all splits share."""

    kind = "keras"

    def __init__(self, model: Any, program: Program, weights: Weights) -> None:
        """Take a program of ``model`` and the weights of one split."""
        self._model, self._program, self._weights = model, program, weights

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        return keras_program.predict(self._program, self._weights, self._model, prepared)

    def save(self, folder: Path) -> None:
        """Write ``weights.npz``: the variables by their position."""
        arrays: dict[str, Any] = {str(i): array for i, array in enumerate(self._weights.arrays)}
        np.savez(folder / "weights.npz", **arrays)


def load_weights(file: Path) -> list[NDArray[Any]]:
    """Return the arrays that `KerasFoldModel.save` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        return [arrays[str(i)] for i in range(len(arrays.files))]
