"""LightGBM: our metric is watched in the target's own units, round by round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.models.problem import Problem
from workbench.training.booster_options import refuse, refuse_dart, upper_limit
from workbench.training.build import Built
from workbench.training.estimator_path import seeded_copy
from workbench.training.fitted import FittedSplit, OneByOne
from workbench.training.material import Split
from workbench.training.outputs import in_units
from workbench.training.threads import worthwhile_threads
from workbench.training.watcher import NOTHING, Watcher
from workbench.types import TrainingSettings

DEFAULT_ROUNDS = 100
"""``n_estimators`` of ``lightgbm.LGBMModel``."""
ROUNDS = (
    *("max_iter", "n_iter", "nrounds", "num_boost_round", "num_iteration", "num_iterations", "num_round"),
    *("num_rounds", "num_tree", "num_trees"),
)
STOPPING = ("early_stopping", "early_stopping_round", "early_stopping_rounds", "n_iter_no_change")
BOOSTING = ("boost", "boosting", "boosting_type")
OVERRULED = ("metrics", "metric_types", "num_thread", "num_threads", "nthread", "nthreads", "verbose")
"""Other names of what the training sets itself; LightGBM would take them beside or before ours.

All names are of LightGBM's list of parameters (https://lightgbm.readthedocs.io/en/stable/Parameters.html).
"""


class LightGBMFitter(OneByOne):
    """Fits a copy of one estimator on each split."""

    weights = 0

    def __init__(self, built: Built, problem: Problem, settings: TrainingSettings) -> None:
        """Take an unfitted ``LGBMClassifier`` or ``LGBMRegressor``.

        Raises:
            FactoryError: it has options that the training cannot honour.
        """
        options = built.model.get_params()
        refuse(built.model, options, (*ROUNDS, *STOPPING))
        refuse_dart(built.model, options, BOOSTING)
        self._rounds = upper_limit(options["n_estimators"], DEFAULT_ROUNDS, settings)
        self._recipe, self._problem, self._settings = built.recipe, problem, settings
        self.patience = settings.rounds_patience

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Boost until the watcher has seen nothing better for its patience; keep the rounds up to the best, or all."""
        estimator = self._configured(split)
        table, y = split.prepared.table, split.target.forward(split.y)
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        schema = self._problem.schema
        categorical = list(range(len(schema.numeric), len(schema.numeric) + len(schema.categorical)))
        estimator.fit(
            table.take(split.train).matrix(),
            y[split.train],
            sample_weight=None if weight is None else weight[split.train],
            callbacks=[_stop_when_done(watcher, counts=not len(split.watch))],
            categorical_feature=categorical or "auto",
            **(self._watching(split, watcher, y) if len(split.watch) else {}),
        )
        rounds = watcher.best_epoch
        booster = lightgbm.Booster(model_str=estimator.booster_.model_to_string(num_iteration=rounds))
        return FittedSplit(LightGBMFoldModel(booster), rounds, watcher.epoch)

    def _configured(self, split: Split) -> Any:
        estimator = _without(seeded_copy(self._recipe.model, split.seed, self._settings.threads), OVERRULED)
        return estimator.set_params(
            n_estimators=self._rounds,
            n_jobs=worthwhile_threads(split.cells, self._settings.threads),
            metric="None",
            deterministic=True,
            force_row_wise=True,
            verbosity=-1,
        )

    def _watching(self, split: Split, watcher: Watcher, y: NDArray[Any]) -> dict[str, Any]:
        matrix = split.prepared.table.take(split.watch).matrix()
        return {"eval_X": (matrix,), "eval_y": (y[split.watch],), "eval_metric": self._judge(split, watcher)}

    def _judge(self, split: Split, watcher: Watcher) -> Any:
        def judge(_: Any, prediction: NDArray[Any]) -> tuple[str, float, bool]:
            # Predictions come transformed: probabilities for the classification objectives.
            watcher.judge(in_units(prediction, len(split.watch), split.target, self._problem))
            return "watched", 0.0, False

        return judge


class LightGBMFoldModel:
    """The rounds of one split up to the best."""

    kind = "lightgbm"

    def __init__(self, booster: lightgbm.Booster) -> None:
        """Take a booster that was read from its text."""
        self._booster = booster

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        matrix = prepared.matrix()
        if len(matrix) == 0:
            return np.zeros((0, max(1, int(self._booster.num_model_per_iteration()))))
        return np.asarray(self._booster.predict(matrix)).reshape(len(matrix), -1)

    def save(self, folder: Path) -> None:
        """Write ``model.txt``."""
        self._booster.save_model(folder / "model.txt")


def load_lightgbm(folder: Path) -> LightGBMFoldModel:
    """Load what `LightGBMFoldModel.save` wrote."""
    return LightGBMFoldModel(lightgbm.Booster(model_file=folder / "model.txt"))


def _without(estimator: Any, names: tuple[str, ...]) -> Any:
    """Return the unfitted estimator without some of its options."""
    options = estimator.get_params(deep=False)
    kept = {name: value for name, value in options.items() if name not in names}
    return estimator if len(kept) == len(options) else type(estimator)(**kept)


def _stop_when_done(watcher: Watcher, *, counts: bool) -> Any:
    def after_iteration(env: lightgbm.callback.CallbackEnv) -> None:
        if counts:
            watcher.judge(NOTHING)
        if watcher.done:
            raise lightgbm.callback.EarlyStopException(watcher.best_epoch - 1, env.evaluation_result_list or [])

    return after_iteration
