"""Keras models that the user's code trains: a KerasTuner ``HyperModel`` or a model's class with a ``fit`` of its own.

For each split a model with the initial state of a fresh build under the split's seed is given to the user's ``fit``,
with a callback that predicts the watched rows after each epoch and keeps the best weights. It is one model for all
splits, so that Keras' own ``fit`` compiles once, unless the user's changes which variables it has or trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.errors import TrialFailed, TrialStopped
from workbench.models.own_fit import call_fit, model_fit
from workbench.models.problem import Problem
from workbench.training import precision
from workbench.training.build import Built, Rebuild, seeded
from workbench.training.fitted import FittedSplit, OneByOne, epochs_of
from workbench.training.keras_feed import feed, take
from workbench.training.keras_path import KerasFoldModel
from workbench.training.keras_program import Predictor, make_predictor
from workbench.training.keras_state import Weights, assign, parameters, prepare, same_shapes, state_of
from workbench.training.keras_targets import targets
from workbench.training.material import Material, Split
from workbench.training.outputs import in_units
from workbench.training.watcher import NOTHING, Watcher


class OwnFitFitter(OneByOne):
    """Fits one configuration through the factory's ``fit``; the model that was built first predicts."""

    def __init__(self, built: Built, material: Material, rebuild: Rebuild) -> None:
        """Take a built model, its data, and how to build it again."""
        recipe, settings = built.recipe, material.settings
        self._built, self._problem, self._rebuild = built, material.problem, rebuild
        self._epochs, _ = epochs_of(recipe, material)
        self.patience = recipe.patience or settings.patience
        self._batch = recipe.batch_size or settings.batch_size
        # Keras on JAX without compilation would train operation by operation, which nobody asks for.
        self._jit_compile = settings.jit_compile if keras.backend.backend() == "tensorflow" else None
        self._predictor: Predictor | None = None
        self._trained: Built | None = None
        self.weights = 0
        self.unfused = "the factory trains the model itself"

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Call the user's ``fit``; its epochs end where the watcher has seen nothing better for its patience."""
        data = own_data(self._built, split, self._problem)
        program, trained = self._start(data), self._fresh(data, split.seed)
        before = _variables(trained.model)
        follower = _Follower(trained.model, program, split, watcher, self._problem, self._epochs)
        with seeded(split.seed):
            rows, watched = data.rows(split.train), data.rows(split.watch) if len(split.watch) else None
            train(trained, self._built, rows, watched, follower, epochs=self._epochs, batch=self._batch)
        follower.finish()
        self._trained = trained if _variables(trained.model) == before else None
        return FittedSplit(KerasFoldModel(self._built.model, program, follower.best), watcher.best_epoch, watcher.epoch)

    def _fresh(self, data: OwnData, seed: int) -> Built:
        """Return a model in the initial state of a build under the split's seed."""
        fresh = self._rebuild(seed)
        if self._jit_compile is not None:
            fresh.model.jit_compile = self._jit_compile
        prepare(fresh.model, take((data.x, data.y), slice(0, 1)))
        if self._trained is None:
            return fresh
        state, model = state_of(fresh.model), self._trained.model
        same_shapes(state, state_of(model))
        assign(model.trainable_variables, state.weights.trainable)
        assign(model.non_trainable_variables, state.weights.non_trainable)
        assign(model.optimizer.variables, state.optimizer)
        return self._trained

    def _start(self, data: OwnData) -> Predictor:
        if self._predictor is None:
            prepare(self._built.model, take((data.x, data.y), slice(0, 1)))
            self.weights = parameters(self._built.model)
            self._predictor = make_predictor(self._built.model)
        return self._predictor


def _variables(model: Any) -> list[int]:
    """Return which variables a model has, in which order it trains them, and with which optimizer."""
    variables = (*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables)
    return [id(variable) for variable in variables]


@dataclass(frozen=True)
class OwnData:
    """Rows as a user's ``fit`` gets them."""

    x: Any
    y: Any
    weight: NDArray[Any] | None

    def rows(self, index: NDArray[np.intp]) -> OwnData:
        """Return some of the rows."""
        return OwnData(take(self.x, index), take(self.y, index), None if self.weight is None else self.weight[index])


def own_data(built: Built, split: Split, problem: Problem) -> OwnData:
    """Return the whole table: targets are codes ``(rows,)`` where the loss takes codes, else `targets`."""
    y = keras.tree.map_structure(
        lambda target: target[:, 0] if target.dtype == np.int32 else target,
        targets(split.target.forward(split.y), problem, built.model),
    )
    weight = built.recipe.row_weights(split.y, split.weight, split.train)
    return OwnData(feed(built.model, split.prepared.table), y, weight)


def train(
    fresh: Built,
    recorded: Built,
    rows: OwnData,
    watched: OwnData | None,
    callback: keras.callbacks.Callback,
    *,
    epochs: int,
    batch: int,
) -> None:
    """Call the user's ``fit`` as KerasTuner's ``search`` does; ``recorded`` notes the values that it asks for.

    A model's own ``fit`` is told the ``batch`` size too; a ``HyperModel`` of KerasTuner chooses its own. Where
    no row is ``watched``, ``validation_data`` is None.
    """
    own = fresh.own_fit
    if own is None:
        raise ValueError("the factory has no fit of its own")
    validation = None if watched is None else (watched.x, watched.y)
    options: dict[str, Any] = {"validation_data": validation, "epochs": epochs, "verbose": 0}
    if own is model_fit:
        options["batch_size"] = batch
    if rows.weight is not None:
        options["sample_weight"] = np.asarray(rows.weight, dtype=np.float32)
    with precision.under(fresh.model.dtype_policy):
        call_fit(own, recorded.hp, fresh.model, rows.x, rows.y, callbacks=[callback], **options)


class _Follower(keras.callbacks.Callback):  # type: ignore[misc]
    """Watches a model while somebody else trains it."""

    def __init__(
        self, model: Any, program: Predictor, split: Split, watcher: Watcher, problem: Problem, epochs: int
    ) -> None:
        super().__init__()
        self._trained, self._predictor, self._split = model, program, split
        self._watcher, self._problem, self._epochs = watcher, problem, epochs
        self._watched = take(feed(model, split.prepared.table), split.watch)
        # The lists at the beginning: a fit that freezes layers moves variables from one to the other.
        self._variables = list(model.trainable_variables), list(model.non_trainable_variables)
        self._raised: TrialFailed | TrialStopped | None = None
        self.best = self._weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Judge the epoch, and end the training where it is time to."""
        if not self._over:
            self._judge((logs or {}).get("loss"))
        if self._over:
            self._trained.stop_training = True

    def finish(self) -> None:
        """Take the model as it is where the user's training shows no epochs; raise what a user's code swallowed."""
        if self._raised is not None:
            raise self._raised
        if self._watcher.epoch == 0:
            self.best = self._weights()

    @property
    def _over(self) -> bool:
        return self._raised is not None or self._watcher.done or self._watcher.epoch >= self._epochs

    def _judge(self, loss: Any) -> None:
        weights = self._weights()
        try:
            prediction = self._prediction(weights) if len(self._split.watch) else NOTHING
            if self._watcher.judge(prediction, None if loss is None else float(loss)):
                self.best = weights
        except (TrialFailed, TrialStopped) as error:
            self._raised = error
            raise

    def _prediction(self, weights: Weights) -> NDArray[np.float64]:
        raw = self._predictor.predict(weights, self._watched)
        return in_units(raw, len(self._split.watch), self._split.target, self._problem)

    def _weights(self) -> Weights:
        trainable, fixed = (
            [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in group] for group in self._variables
        )
        return Weights(trainable, fixed)
