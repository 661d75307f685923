"""Less than a whole fit: some splits, a share of the rows, few epochs, another batch size."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import FactoryError
from workbench.models import ranges
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.types import Description, Screen, Space, TrialResult


def fitted(job, reports: list | None = None) -> TrialResult:
    result = run(job, lambda report: bool(reports is not None and reports.append(report)))
    assert isinstance(result, TrialResult)
    return result


@pytest.mark.parametrize("family", ["lightgbm", "dummy"])
def test_a_screening_scores_its_splits_and_stores_nothing(make_job, family: str) -> None:
    job = make_job("multiclass", family, screen=Screen(splits=(2, 0), rows=0.4, epochs=3))
    reports: list = []
    result = fitted(job, reports)
    assert result.screened
    assert len(result.scores) == 2
    assert {report.split for report in reports} <= {0, 2}
    assert all(epochs <= 3 for epochs in result.epochs)
    assert not list(Vault(job.vault).root.glob("*")) if job.vault.exists() else True
    assert fitted(job).scores == result.scores
    assert fitted(job.model_copy(update={"screen": None})).fit_key == job.fit_key != result.fit_key
    assert fitted(job).cached is False


def test_a_screening_trains_on_a_share_of_each_class(make_job) -> None:
    job = make_job("multiclass", "dummy")
    whole = open_material(job)
    part = open_material(job.model_copy(update={"screen": Screen(splits=(1,), rows=0.3)}))
    split, full = next(part.splits(neural=False)), whole.split(1, neural=False)
    assert part.training_rows() == [len(split.train)]
    assert set(split.train) < set(full.train)
    for code in np.unique(full.y):
        rows = int((full.y[full.train] == code).sum())
        assert int((split.y[split.train] == code).sum()) == max(1, round(0.3 * rows))
    np.testing.assert_array_equal(split.validate, full.validate)
    assert split.prepared is full.prepared


def test_a_screening_of_splits_that_are_none_says_what_the_plan_has(make_job) -> None:
    with pytest.raises(FactoryError, match="numbers from 0 to 2"):
        run(make_job("binary", "dummy", screen=Screen(splits=(0, 3))), lambda _: False)


def test_no_split_trains_longer_than_its_engine_says(make_job) -> None:
    assert fitted(make_job("regression", "xgboost", epochs=2, vault=None)).epochs == (2, 2, 2)


WIDTH = """
import keras

def build(hp):
    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 4, 8), "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model
"""


@pytest.mark.keras
def test_a_smaller_batch_is_another_fit(make_job, own_factory) -> None:
    job = make_job("regression", own_factory(WIDTH), rows=60, splits=2, epochs=2)
    whole, half = fitted(job), fitted(job.model_copy(update={"batch_scale": 0.01}))
    assert half.batch_scale == 0.01
    assert half.epochs == (2, 2)
    assert half.scores != whole.scores
    assert Vault(job.vault).result(half.fit_key) == half
    assert fitted(job.model_copy(update={"batch_scale": 0.01})).cached


@pytest.mark.keras
def test_a_value_of_the_experiments_range_trains_and_predicts_again(make_job, own_factory) -> None:
    space = Space(parameters=(ranges.number("units", "int", 4, 32),))
    job = make_job("regression", own_factory(WIDTH), rows=60, splits=2, space=space, values={"units": 32}, epochs=1)
    description = run(job.model_copy(update={"kind": "describe", "values": {}}), lambda _: False)
    assert isinstance(description, Description)
    assert description.space == space
    fitted(job)
    vault, material = Vault(job.vault), open_material(job)
    rows = material.plan.validate(0)
    predictor = load_predictor(vault.folder(job.fit_key) / "split0")
    predicted = predictor.predict(material.dataset.features.iloc[rows])
    np.testing.assert_allclose(predicted, vault.oof(job.fit_key)[0], rtol=1e-5)
