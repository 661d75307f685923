"""Keras: one compiled program trains every split, each from the initial numbers of a fresh build under its own seed."""

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
from workbench.training.fitted import FittedSplit, epochs_of
from workbench.training.keras_architecture import Architecture, remember
from workbench.training.keras_checkpoint import KerasCheckpoint
from workbench.training.keras_feed import feed, take
from workbench.training.keras_fusing import Grouping
from workbench.training.keras_program import Predictor, Start, Table, Trainer
from workbench.training.keras_state import InitialStates, Weights, parameters
from workbench.training.keras_targets import targets
from workbench.training.material import Material, Split
from workbench.training.outputs import in_units
from workbench.training.watcher import Watcher


class KerasFitter:
    """Fits one configuration with one compiled program."""

    def __init__(
        self,
        built: Built,
        material: Material,
        rebuild: Rebuild,
        checkpoints: Checkpoints,
        trained: Architecture | None = None,
    ) -> None:
        """Take a model built under the first split's seed, its data, how to build it again, and its checkpoints.

        ``trained`` is what an earlier trial of the same model has left.
        """
        recipe, settings, folds = built.recipe, material.settings, material.training_rows()
        self._problem, self._recipe, self._checkpoints = material.problem, recipe, checkpoints
        self._batch = max(1, min(recipe.batch_size or settings.batch_size, *folds))
        self._steps = [rows // self._batch for rows in folds]
        self._epochs, self._horizon = epochs_of(recipe, material)
        self.patience = recipe.patience or settings.patience
        self._model = built.model
        if trained is None:
            states = InitialStates(built.model, material.seed(0, "fit"), lambda seed: rebuild(seed).model)
            grouping = Grouping(material.job, uniform=len(self._uniform_steps) == 1)
            trained = Architecture(built, states, grouping)
        self._material, self._architecture = material, trained
        self._states, self._grouping = trained.states, trained.grouping
        self.weights = 0

    @property
    def fused(self) -> str:
        """How several splits train as one program."""
        return self._grouping.strategy

    @property
    def unfused(self) -> str:
        """Why they do not."""
        return self._grouping.reason

    def together(self, first: Split, splits: int) -> int:
        """Return how many splits train at once: all of them where that is possible and worth it."""
        if self._grouping.decided != splits:  # an earlier trial of the same model may have had fewer of them left
            table = self._table(first)
            self._states.prepare(self._sample(table))
            self._grouping.decide(self._model, self._sample(table), table, splits)
        self.weights = parameters(self._model)
        return splits if self._grouping.strategy else 1

    def fit_all(self, splits: Sequence[Split], watchers: Sequence[Watcher]) -> list[FittedSplit]:
        """Train until each watcher has seen nothing better for its patience, or all epochs; keep the best weights."""
        group = _Group(splits, watchers, self._problem)
        checkpoint = KerasCheckpoint(self._checkpoints, [split.index for split in splits])
        trainer = self._begin(group, checkpoint)
        try:
            self._train(group, trainer, checkpoint)
            return [
                FittedSplit(
                    KerasFoldModel(self._model, trainer.predictor, trainer.best(i)),
                    watcher.best_epoch,
                    watcher.epoch,
                    group.best[i],
                )
                for i, watcher in enumerate(watchers)
            ]
        finally:
            trainer.end()  # later trials may use it, and until then it must not hold tables

    def remember(self) -> None:
        """Keep the built, traced and compiled model for trials that differ in rates only."""
        remember(self._material, self._architecture)

    def _begin(self, group: _Group, checkpoint: KerasCheckpoint) -> Trainer:
        """Return a trainer that stands where a checkpoint left off, else at the beginning."""
        starts = []
        for split in group.splits:
            table = self._table(split)
            state = self._states.of(split.seed, self._sample(table))
            starts.append(Start(state, table, take(self._feed(split), split.watch)))
        watched = max(len(split.watch) for split in group.splits)
        size = max(self._uniform_steps) * self._batch
        orders = [np.resize(split.train, size).reshape(-1, self._batch).astype(np.int32) for split in group.splits]
        trainer = self._grouping.trainer(starts, orders, watched)
        trainer.begin(checkpoint.restore(starts, group.watchers, group.generators) or starts)
        return trainer

    def _train(self, group: _Group, trainer: Trainer, checkpoint: KerasCheckpoint) -> None:
        watchers = group.watchers
        while any(live := [not watcher.done and watcher.epoch < self._epochs for watcher in watchers]):
            orders = [self._order(group, i) if alive else self._no_rows for i, alive in enumerate(live)]
            losses = trainer.epoch(orders, self._rate(max(watcher.epoch for watcher in watchers)), live)
            try:
                group.judge(trainer, losses, live)
            except TrialStopped:
                checkpoint.save(trainer, watchers, group.generators)
                raise
            if checkpoint.due and not all(watcher.done for watcher in watchers):
                checkpoint.save(trainer, watchers, group.generators)

    def _sample(self, table: Table) -> Table:
        rows: Table = take(table, np.zeros(self._batch, dtype=np.intp))
        return rows

    def _feed(self, split: Split) -> Any:
        return feed(self._model, split.prepared.table)

    def _table(self, split: Split) -> Table:
        y = targets(split.target.forward(split.y), self._problem, self._model)
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        x = self._feed(split)
        return (x, y) if weight is None else (x, y, np.asarray(weight, dtype=np.float32))

    @property
    def _uniform_steps(self) -> set[int]:
        """Steps an epoch: the same for all splits, unless the splits' sizes differ by more than a batch."""
        least, most = min(self._steps), max(self._steps)
        return {least} if most - least <= 1 else set(self._steps)

    @property
    def _no_rows(self) -> NDArray[np.int32]:
        return np.zeros((0, self._batch), dtype=np.int32)

    def _order(self, group: _Group, position: int) -> NDArray[np.int32]:
        """Return a permutation in full batches; what is left over is dropped, another part in each epoch.

        Batches are never filled up with rows of no weight: they would change batch normalisation.
        """
        train, uniform = group.splits[position].train, self._uniform_steps
        steps = min(uniform) if len(uniform) == 1 else len(train) // self._batch
        order = group.generators[position].permutation(train)[: steps * self._batch]
        return order.reshape(steps, self._batch).astype(np.int32)

    def _rate(self, epoch: int) -> float:
        if self._recipe.schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * epoch / self._horizon))


class _Group:
    """Splits that train at once, and what is seen of them."""

    def __init__(self, splits: Sequence[Split], watchers: Sequence[Watcher], problem: Problem) -> None:
        self.splits, self.watchers, self._problem = splits, watchers, problem
        self.generators = [np.random.default_rng(derive_seed(split.seed, "shuffle")) for split in splits]
        self.best: list[NDArray[Any] | None] = [None] * len(splits)
        """What the best weights so far predict for the watched rows; ``None`` where those are of a checkpoint."""

    def judge(self, trainer: Trainer, losses: Sequence[float | None], live: Sequence[bool]) -> None:
        """Show each watcher what is predicted after an epoch; the trainer keeps the weights that are better.

        Raises:
            TrialStopped: a report was answered with 'stop'; all splits have been judged all the same.
        """
        stopped: TrialStopped | None = None
        unseen = not any(len(split.watch) for split in self.splits)
        outputs = [np.zeros((0, self._problem.outputs))] * len(self.splits) if unseen else trainer.watched()
        for i, (split, watcher) in enumerate(zip(self.splits, self.watchers, strict=True)):
            if not live[i]:
                continue
            try:
                watcher.judge(in_units(outputs[i], len(split.watch), split.target, self._problem), losses[i])
            except TrialStopped as error:
                stopped = stopped or error
            if watcher.improved:
                self.best[i] = outputs[i]
        trainer.keep([alive and watcher.improved for alive, watcher in zip(live, self.watchers, strict=True)])
        if stopped is not None:
            raise stopped


class KerasFoldModel:
    """The weights of one split and the program that all splits share."""

    kind = "keras"

    def __init__(self, model: Any, predictor: Predictor, weights: Weights) -> None:
        """Take a predictor of ``model`` and the weights of one split."""
        self._model, self._predictor, self._weights = model, predictor, weights

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        return keras_program.predict(self._predictor, self._weights, self._model, prepared)

    def save(self, folder: Path) -> None:
        """Write ``weights.npz``: the variables by their position."""
        arrays: dict[str, Any] = {str(i): array for i, array in enumerate(self._weights.arrays)}
        np.savez(folder / "weights.npz", **arrays)


def load_weights(file: Path) -> list[NDArray[Any]]:
    """Return the arrays that `KerasFoldModel.save` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        return [arrays[str(i)] for i in range(len(arrays.files))]
