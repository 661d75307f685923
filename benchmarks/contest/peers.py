"""What others do: KerasTuner with folds in ``run_trial``, and Optuna with a fit loop that MLflow logs.

Both are written as their users would, and given what helps them: validation in the size of a training batch, the best
epoch kept in memory, no model written by a trial.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from benchmarks.contest.setting import BATCH, EPOCHS, Answer, Setting, log_loss


def keras_tuner_folds(setting: Setting) -> Answer:
    """Search by a KerasTuner RandomSearch whose ``run_trial`` does the folds, on the backend that is set."""
    import keras_tuner

    from benchmarks.contest.network import declared, plain

    class Listed(keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
        """Random search that takes its values from the list."""

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            return {"status": "RUNNING", "values": dict(setting.values[int(trial_id)])}

    class FoldTuner(keras_tuner.Tuner):  # type: ignore[misc]
        """Answers a trial with the mean over the folds."""

        def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
            return cross_validated(setting, lambda: self.hypermodel.build(trial.hyperparameters))

    tuner = FoldTuner(
        oracle=Listed(objective=keras_tuner.Objective("log_loss", "min"), max_trials=len(setting.values)),
        hypermodel=lambda hp: plain(setting.arrays[0].shape[1], declared(hp)),
        directory=setting.folder,
        project_name="keras_tuner",
    )
    began = time.perf_counter()
    tuner.search(verbose=0)
    seconds = time.perf_counter() - began
    trials = sorted(tuner.oracle.trials.values(), key=lambda trial: trial.trial_id)
    return Answer(seconds, tuple(float(trial.score) for trial in trials))


def optuna_mlflow(setting: Setting) -> Answer:
    """Search by Optuna with a fit loop, MLflow's Keras autologging on; SQLite as its store, made beforehand."""
    import mlflow
    import optuna

    from benchmarks.contest.network import plain, suggested

    mlflow.set_tracking_uri(f"sqlite:///{setting.folder / 'mlflow.db'}")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("contest", artifact_location=(setting.folder / "artifacts").as_uri())
    )
    mlflow.keras.autolog(log_models=False, silent=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize")
    for values in setting.values:
        study.enqueue_trial(values)

    def objective(trial: optuna.Trial) -> float:
        values = suggested(trial)
        with mlflow.start_run():
            mlflow.log_params(values)
            score = cross_validated(
                setting,
                lambda: plain(setting.arrays[0].shape[1], values),
                around=lambda: mlflow.start_run(nested=True),
            )
            mlflow.log_metric("log_loss", score)
        return score

    began = time.perf_counter()
    study.optimize(objective, n_trials=len(setting.values))
    seconds = time.perf_counter() - began
    return Answer(seconds, tuple(float(trial.value or 0.0) for trial in study.trials))


def cross_validated(
    setting: Setting, build: Callable[[], Any], around: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> float:
    """Return the mean log loss over the folds, each predicted by its best epoch; ``around`` each fit."""
    import keras

    x, y, _ = setting.arrays
    keras.utils.clear_session()
    scores = []
    for train, validate in setting.parts():
        model = build()
        # It never stops early: it keeps the best epoch, as everyone here does.
        best = keras.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True)
        told = {"epochs": EPOCHS, "batch_size": BATCH, "callbacks": [best], "verbose": 0}
        with around():
            model.fit(x[train], y[train], validation_data=(x[validate], y[validate]), **told)
        scores.append(log_loss(y[validate], model.predict(x[validate], batch_size=BATCH, verbose=0)))
    return float(np.mean(scores))
