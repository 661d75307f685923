"""CatBoost: our metric is watched in the target's own units, round by round."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import FactoryError
from workbench.models.problem import Problem
from workbench.training.booster_options import refuse, upper_limit
from workbench.training.build import Built
from workbench.training.fitted import FittedSplit, OneByOne
from workbench.training.material import Split
from workbench.training.outputs import in_units
from workbench.training.threads import worthwhile_threads
from workbench.training.watcher import NOTHING, Watcher
from workbench.types import TrainingSettings

FILE = "model.cbm"
ROUNDS = ("iterations", "n_estimators", "num_boost_round", "num_trees")
STOPPING = ("early_stopping_rounds", "od_pval", "od_type", "od_wait", "use_best_model")
SEEDS = ("random_seed", "random_state")
OVERRULED = frozenset(
    (
        *ROUNDS,
        *("custom_metric", "eval_metric", "logging_level", "metric_period", "silent", "thread_count"),
        *("allow_writing_files", "save_snapshot", "snapshot_file", "train_dir", "verbose", "verbose_eval"),
    )
)
"""Names of what the training sets itself (https://catboost.ai/docs/en/references/training-parameters/)."""
CLASSIFYING = {"binary": ("Logloss", "CrossEntropy"), "multiclass": ("MultiClass",)}
REGRESSING = ("RMSE", "MAE", "Quantile", "Expectile", "Huber", "LogCosh", "Lq", "MAPE")
"""Losses whose raw values are the predictions."""


class CatBoostFitter(OneByOne):
    """Fits a copy of one estimator on each split."""

    weights = 0

    def __init__(self, built: Built, problem: Problem, settings: TrainingSettings) -> None:
        """Take an unfitted ``CatBoostClassifier`` or ``CatBoostRegressor``.

        Raises:
            FactoryError: it has options that the training cannot honour.
        """
        options = built.model.get_params()
        refuse(built.model, options, STOPPING)
        _check_loss(built.model, options, problem)
        given = next((options[name] for name in ROUNDS if options.get(name) is not None), None)
        self._rounds = upper_limit(given, None, settings)
        self._recipe, self._problem, self._settings = built.recipe, problem, settings
        self.patience = settings.rounds_patience

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Boost until the watcher has seen nothing better for its patience; keep the rounds up to the best, or all."""
        table, y = split.prepared.table, split.target.forward(split.y)
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        train = catboost.Pool(
            _frame(table.take(split.train)),
            y[split.train],
            cat_features=self._categorical(),
            weight=None if weight is None else weight[split.train],
        )
        watch = None
        if len(split.watch):
            watch = catboost.Pool(_frame(table.take(split.watch)), y[split.watch], cat_features=self._categorical())
        rounds = _Rounds(split, watcher, self._problem, np.unique(y[split.train]))
        model = self._configured(split, rounds if watch is not None else None)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to import numba")
            model.fit(train, eval_set=watch, callbacks=[rounds])
        rounds.check()
        model.shrink(watcher.best_epoch)
        return FittedSplit(CatBoostFoldModel(model, self._problem), watcher.best_epoch, watcher.epoch)

    def _configured(self, split: Split, metric: _Rounds | None) -> Any:
        model = self._recipe.model
        options = {k: v for k, v in model.get_params().items() if k not in OVERRULED}
        if not any(options.get(name) is not None for name in SEEDS):
            options["random_seed"] = split.seed % 2**31
        return type(model)(
            **options,
            iterations=self._rounds,
            eval_metric=metric,
            use_best_model=False,
            thread_count=worthwhile_threads(split.cells * self._problem.outputs, self._settings.threads),
            logging_level="Silent",
            allow_writing_files=False,
        )

    def _categorical(self) -> list[int]:
        numeric = len(self._problem.schema.numeric)
        return list(range(numeric, numeric + len(self._problem.schema.categorical)))


class CatBoostFoldModel:
    """The rounds of one split up to the best."""

    kind = "catboost"

    def __init__(self, model: catboost.CatBoost, problem: Problem) -> None:
        """Take a fitted model."""
        self._model, self._problem = model, problem

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        if len(prepared) == 0:
            return np.zeros((0, self._problem.outputs))
        frame = _frame(prepared)
        raw = np.asarray(self._model.predict(frame, prediction_type="RawFormulaVal", thread_count=1))
        return _predictions(raw.reshape(len(frame), -1), np.asarray(self._model.classes_), self._problem)

    def save(self, folder: Path) -> None:
        """Write ``model.cbm``."""
        self._model.save_model(str(folder / FILE), format="cbm")


def load_catboost(folder: Path, problem: Problem) -> CatBoostFoldModel:
    """Load what `CatBoostFoldModel.save` wrote."""
    model = catboost.CatBoostRegressor() if problem.task == "regression" else catboost.CatBoostClassifier()
    return CatBoostFoldModel(model.load_model(str(folder / FILE), format="cbm"), problem)


class _Rounds:
    """A metric and a callback in one: CatBoost shows a metric the raw predictions, and asks a callback to go on."""

    def __init__(self, split: Split, watcher: Watcher, problem: Problem, classes: NDArray[Any]) -> None:
        self._split, self._watcher, self._problem, self._classes = split, watcher, problem, classes
        self._raw: NDArray[np.float64] = np.zeros((0, 1))
        self._error: Exception | None = None

    def __deepcopy__(self, _: Any) -> _Rounds:
        """Return this object: CatBoost copies its parameters, and would ask the copy."""
        return self

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:  # noqa: ARG002 - CatBoost's
        """Keep the predictions: those of the watched rows are the last of a round."""
        self._raw = np.array(approxes, dtype=np.float64).T
        return 0.0, 1.0

    def get_final_error(self, error: float, weight: float) -> float:  # noqa: ARG002 - CatBoost's signature
        return error

    def after_iteration(self, info: Any) -> bool:  # noqa: ARG002 - CatBoost's signature
        """Judge a round; an error must not travel through CatBoost, which would wrap it in its own."""
        try:
            self._watcher.judge(self._watched() if len(self._split.watch) else NOTHING)
        except Exception as error:
            self._error = error
            return False
        return not self._watcher.done

    def _watched(self) -> NDArray[np.float64]:
        predictions = _predictions(self._raw, self._classes, self._problem)
        return in_units(predictions, len(self._split.watch), self._split.target, self._problem)

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def _check_loss(model: Any, options: dict[str, Any], problem: Problem) -> None:
    loss = options.get("loss_function")
    known = CLASSIFYING.get(problem.task, REGRESSING)
    if loss is not None and (not isinstance(loss, str) or loss.partition(":")[0] not in known):
        raise FactoryError(
            f"{type(model).__name__}(loss_function={loss!r}): expected one of {', '.join(known)} for a {problem.task} "
            "task"
        )


def _frame(prepared: Prepared) -> pd.DataFrame:
    """Return the columns as CatBoost takes them side by side: float32 numbers, int32 codes."""
    columns = [prepared.numeric.astype(np.float32), prepared.categorical]
    frames = [pd.DataFrame(part) for part in columns if part.shape[1]]
    return pd.concat(frames, axis=1, ignore_index=True)


def _predictions(raw: NDArray[np.float64], classes: NDArray[Any], problem: Problem) -> NDArray[np.float64]:
    """Return raw values ``(rows, columns)`` as predictions ``(rows, outputs)``; an unseen class has probability 0."""
    from scipy.special import expit, softmax

    if problem.task == "regression":
        return raw
    if problem.task == "binary":
        return np.asarray(expit(raw))
    full = np.zeros((len(raw), problem.outputs))
    full[:, classes.astype(np.int64)] = softmax(raw, axis=1)
    return full
