"""XGBoost: our metric is watched in the target's own units, round by round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xgboost
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
from workbench.types import InputSchema, TrainingSettings


class XGBoostFitter(OneByOne):
    """Fits a copy of one estimator on each split."""

    weights = 0

    def __init__(self, built: Built, problem: Problem, settings: TrainingSettings) -> None:
        """Take an unfitted ``XGBClassifier`` or ``XGBRegressor``.

        Raises:
            FactoryError: it has options that the training cannot honour.
        """
        options = built.model.get_params()
        refuse(built.model, options, ("num_boost_round", "early_stopping_rounds"))
        refuse_dart(built.model, options, ("booster",))
        self._rounds = upper_limit(options["n_estimators"], None, settings)
        self._recipe, self._problem, self._settings = built.recipe, problem, settings
        self.patience = settings.rounds_patience

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Boost until the watcher has seen nothing better for its patience; keep the rounds up to the best, or all."""
        types = feature_types(self._problem.schema)
        estimator = seeded_copy(self._recipe.model, split.seed, self._settings.threads).set_params(
            n_estimators=self._rounds,
            n_jobs=worthwhile_threads(split.cells, self._settings.threads),
            eval_metric=self._judge(split, watcher) if len(split.watch) else None,
            disable_default_eval_metric=True,
            callbacks=[_StopWhenDone(watcher, counts=not len(split.watch))],
            early_stopping_rounds=None,
            feature_types=types,
            enable_categorical="c" in types,
            verbosity=0,
        )
        table, y = split.prepared.table, split.target.forward(split.y)
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        estimator.fit(
            table.take(split.train).matrix(),
            y[split.train],
            sample_weight=None if weight is None else weight[split.train],
            eval_set=[(table.take(split.watch).matrix(), y[split.watch])] if len(split.watch) else None,
            verbose=False,
        )
        booster = estimator.get_booster()[: watcher.best_epoch]
        return FittedSplit(XGBoostFoldModel(booster, types), watcher.best_epoch, watcher.epoch)

    def _judge(self, split: Split, watcher: Watcher) -> Any:
        def watched(_: Any, prediction: NDArray[Any]) -> float:
            # Predictions come transformed: probabilities for the classification objectives.
            watcher.judge(in_units(prediction, len(split.watch), split.target, self._problem))
            return 0.0

        return watched


class XGBoostFoldModel:
    """The rounds of one split up to the best."""

    kind = "xgboost"

    def __init__(self, booster: xgboost.Booster, types: list[str]) -> None:
        """Take a booster and the type of each column of the matrix."""
        self._booster, self._types = booster, types

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        matrix = prepared.matrix()
        data = xgboost.DMatrix(matrix, feature_types=self._types, enable_categorical="c" in self._types)
        return np.asarray(self._booster.predict(data), dtype=np.float64).reshape(len(matrix), -1)

    def save(self, folder: Path) -> None:
        """Write ``model.ubj``."""
        self._booster.save_model(folder / "model.ubj")


def load_xgboost(folder: Path, schema: InputSchema) -> XGBoostFoldModel:
    """Load what `XGBoostFoldModel.save` wrote."""
    return XGBoostFoldModel(xgboost.Booster(model_file=folder / "model.ubj"), feature_types(schema))


def feature_types(schema: InputSchema) -> list[str]:
    """Return XGBoost's type of each column: ``q`` for quantities, ``c`` for categorical codes."""
    return ["q"] * len(schema.numeric) + ["c"] * len(schema.categorical)


class _StopWhenDone(xgboost.callback.TrainingCallback):
    def __init__(self, watcher: Watcher, *, counts: bool) -> None:
        super().__init__()
        self._watcher, self._counts = watcher, counts

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's signature
        if self._counts:
            self._watcher.judge(NOTHING)
        return self._watcher.done
