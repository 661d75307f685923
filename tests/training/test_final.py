"""Refits on all rows: exactly so many epochs, the last weights, every row, no out-of-fold prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import all_rows_plan
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.runner import run
from workbench.types import Job, Reported, TrainingSettings, TrialResult

SEEDS = 2
ROUNDS = 7
BOOSTERS = ["lightgbm", "xgboost", "catboost"]
NEURAL = pytest.param("mlp", marks=pytest.mark.keras)


SMALL = {"depth": 1, "width": 128, "embedding": 2, "members": 1, "batch_size": 32}
RATES = {"lightgbm": 0.3, "xgboost": 0.3, "catboost": 0.3, "mlp": 0.02}
"""So fast that the best epoch is not the last."""
OWN = """
import keras

class Own:
    def build(self, hp):
        inputs = keras.Input((4,))
        model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(inputs))
        model.compile(keras.optimizers.Adam(0.3), "binary_crossentropy")
        return model

    def fit(self, hp, model, x, y, validation_data, callbacks, epochs, verbose):
        return model.fit(x, y, validation_data=validation_data, callbacks=callbacks, epochs=epochs, verbose=verbose)

build = Own()
"""


def unwatched(job: Job, **settings: Any) -> Job:
    return job.model_copy(update={"settings": job.settings.model_copy(update={"stopping": "none", **settings})})


def refitted(job: Job, **settings: Any) -> TrialResult:
    """Refit a job's configuration on all rows; what is watched would be reported."""
    plan = all_rows_plan(len(Dataset.open(job.dataset).y), SEEDS)
    plan.save(file := job.plan.with_name(f"plan-{plan.key}.npz"))

    def report(reported: Any) -> bool:
        raise AssertionError(reported)

    result = run(unwatched(job, **settings).model_copy(update={"plan": file, "seed": 99}), report)
    assert isinstance(result, TrialResult)
    return result


@pytest.mark.parametrize("family", ["linear", "random_forest", *BOOSTERS, NEURAL])
def test_a_refit_is_stored_whole_and_has_no_score(make_job, family: str) -> None:
    epochs = ROUNDS if family in BOOSTERS or family == "mlp" else None
    # Fewer than the experiment's settings and than patience would end: the number is the job's alone.
    values = SMALL if family == "mlp" else {}
    job = make_job("multiclass", family, rows=80, epochs=epochs, values=values)
    result = refitted(job, epochs=3, rounds=3, patience=1, rounds_patience=1)
    assert result.final
    assert not result.truncated
    assert math.isnan(result.score)
    assert all(map(math.isnan, result.scores))
    assert result.epochs == result.best_epochs == ((ROUNDS,) * SEEDS if epochs else ())
    vault, dataset = Vault(job.vault), Dataset.open(job.dataset)
    assert vault.has(job.fit_key)
    assert repr(vault.result(job.fit_key)) == repr(result)
    assert [part.shape for part in vault.oof(job.fit_key)] == [(0, 3)] * SEEDS
    predictors = [load_predictor(vault.folder(job.fit_key) / f"split{i}") for i in range(SEEDS)]
    each = [predictor.predict(dataset.test) for predictor in predictors]
    np.testing.assert_allclose(np.mean(each, axis=0), vault.test(job.fit_key, dataset.test_key), rtol=1e-6)
    assert family == "linear" or not np.array_equal(*each)
    assert run(job, lambda _: False).cached


@pytest.mark.parametrize("family", [*BOOSTERS, NEURAL, pytest.param("own", marks=pytest.mark.keras)])
def test_the_last_epoch_is_kept_where_nobody_watches(make_job, own_factory, family: str) -> None:
    """Its score is what a watcher has seen after that epoch, though an earlier one was better.

    With a schedule too: the learning rate falls as if the training might last as long as the watched one.
    """
    ref, values = (own_factory(OWN), {}) if family == "own" else (family, SMALL if family == "mlp" else {})
    settings = TrainingSettings(rounds=60, rounds_patience=10, epochs=40, patience=4, threads=1)
    job = make_job(
        "binary", ref, rows=60, splits=2, vault=None, settings=settings, values={**values, "lr": RATES.get(family, 0.0)}
    )
    told: dict[tuple[int, int], float] = {}

    def report(seen: Reported) -> bool:
        told[seen.split, seen.epoch] = seen.value
        return False

    watched = run(job, report)
    last = min(watched.epochs)
    assert min(watched.best_epochs) < last
    result = run(unwatched(job).model_copy(update={"epochs": last}), lambda _: False)
    assert isinstance(result, TrialResult)
    assert not result.final
    np.testing.assert_allclose(result.scores, [told[split, last] for split in range(2)], rtol=1e-5)
    assert result.epochs == result.best_epochs == (last, last)


def test_every_row_is_trained_on_and_its_target_encoded(make_job, own_factory) -> None:
    """The nearest neighbour of a row is itself; a target encoding is fitted where no row is left for transform."""
    nearest = "from sklearn.neighbors import KNeighborsClassifier as K\ndef build(hp): return K(1)\n"
    job = make_job("binary", own_factory(nearest, "scaled"), rows=60)
    refitted(job)
    dataset = Dataset.open(job.dataset)
    predictor = load_predictor(Vault(job.vault).folder(job.fit_key) / "split0")
    assert np.array_equal(predictor.predict(dataset.features)[:, 0], dataset.y)
    assert refitted(make_job("binary", own_factory(nearest, "target"), rows=60, vault=None)).final


@pytest.mark.keras
def test_seeds_train_the_same_at_once_and_one_after_another(make_job) -> None:
    job = make_job("binary", "mlp", rows=60, epochs=2, values=SMALL)
    results = [refitted(job.model_copy(update={"fit_key": fuse}), fuse=fuse) for fuse in ("map", "off")]
    assert [result.fused for result in results] == ["map", ""]
    key = Dataset.open(job.dataset).test_key
    np.testing.assert_array_equal(*(Vault(job.vault).test(fuse, key) for fuse in ("map", "off")))
