"""What holds for every family: results are repeatable, stored whole, and bundles predict what the vault holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.errors import StoreError, TrialStopped
from workbench.metrics import load_metric
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.runner import run
from workbench.types import Job, Reported, TrialResult, Value

ESTIMATORS = ["dummy", "linear", "knn", "random_forest", "extra_trees"]
BOOSTERS = ["lightgbm", "xgboost", "catboost"]
NEURAL = [pytest.param(name, marks=pytest.mark.keras) for name in ("mlp", "wide_and_deep")]
FAMILIES = [*ESTIMATORS, *BOOSTERS, *NEURAL]
TASKS = ["binary", "multiclass", "regression"]


def fitted(job: Job) -> tuple[TrialResult, list[Reported]]:
    reports: list[Reported] = []

    def report(reported: Reported) -> bool:
        reports.append(reported)
        return False

    result = run(job, report)
    assert isinstance(result, TrialResult)
    return result, reports


def lasting(result: TrialResult) -> Value:
    return result.model_copy(update={"fit_s": 0.0, "predict_s": 0.0, "peak_mb": 0.0, "setup_s": 0.0})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_bundles_predict_what_the_vault_holds(make_job, task: str, family: str) -> None:
    job = make_job(task, family)
    result, _ = fitted(job)
    dataset, plan = Dataset.open(job.dataset), FoldPlan.open(job.plan)
    vault, metric = Vault(job.vault), load_metric(job.metric)
    predictors = [load_predictor(vault.folder(job.fit_key) / f"split{i}") for i in range(plan.splits)]
    for i, (predictor, oof) in enumerate(zip(predictors, vault.oof(job.fit_key), strict=True)):
        rows = plan.validate(i)
        np.testing.assert_allclose(predictor.predict(dataset.features.iloc[rows]), oof, rtol=1e-6, atol=0)
        assert result.scores[i] == metric(dataset.y[rows], oof)
    mean = np.mean([predictor.predict(dataset.test) for predictor in predictors], axis=0)
    np.testing.assert_allclose(mean, vault.test(job.fit_key, dataset.test_key), rtol=1e-6, atol=0)
    assert vault.result(job.fit_key) == result


@pytest.mark.parametrize("family", [*ESTIMATORS, *BOOSTERS, NEURAL[0]])
@pytest.mark.parametrize("stopping", ["fold", "inner"])
def test_same_seed_same_result(make_job, family: str, stopping: str) -> None:
    job = make_job("regression", family, weight=True, vault=None)
    job = job.model_copy(update={"settings": job.settings.model_copy(update={"stopping": stopping})})
    first, first_reports = fitted(job)
    second, second_reports = fitted(job)
    assert lasting(first) == lasting(second)
    assert first_reports == second_reports


@pytest.mark.parametrize("family", [*BOOSTERS, NEURAL[0]])
def test_reports_and_best_epochs(make_job, family: str) -> None:
    job = make_job("binary", family, vault=None)
    result, reports = fitted(job)
    for split in range(3):
        mine = [r for r in reports if r.split == split]
        assert [r.epoch for r in mine] == list(range(1, result.epochs[split] + 1))
        best = min(mine, key=lambda r: r.value)
        assert best.epoch == result.best_epochs[split]
        # The validation fold was watched with the metric itself: the restored epoch's value is the score.
        assert result.scores[split] == pytest.approx(best.value, rel=1e-5)


@pytest.mark.parametrize("family", [*ESTIMATORS[1:], *BOOSTERS, *NEURAL])
def test_learns_more_than_the_constant(make_job, family: str) -> None:
    for task in ("multiclass", "regression"):
        base, _ = fitted(make_job(task, "dummy", vault=None))
        result, _ = fitted(make_job(task, family, vault=None))
        assert result.score < 0.8 * base.score


@pytest.mark.parametrize("family", [*BOOSTERS, NEURAL[0]])
def test_a_stop_ends_the_job_and_leaves_nothing(make_job, family: str) -> None:
    job = make_job("binary", family)
    seen: list[Reported] = []

    def report(reported: Reported) -> bool:
        seen.append(reported)
        return len(seen) == 3

    with pytest.raises(TrialStopped, match="after epoch"):
        run(job, report)
    assert len(seen) == 3
    assert not Vault(job.vault).has(job.fit_key)


def test_a_stored_fit_is_not_trained_again(make_job) -> None:
    job = make_job("binary", "lightgbm")
    first, _ = fitted(job)
    again, reports = fitted(job)
    assert reports == []
    assert again == first.model_copy(update={"cached": True})


@pytest.mark.parametrize("with_bundles", [True, False])
def test_a_later_test_table_is_predicted(make_job, with_bundles: bool) -> None:
    job = make_job("binary", "lightgbm")
    fitted(job)
    vault, dataset = Vault(job.vault), Dataset.open(job.dataset)
    file = vault.folder(job.fit_key) / f"test-{dataset.test_key}.npy"
    before, oof = np.load(file), vault.oof(job.fit_key)
    file.unlink()
    if not with_bundles:
        vault.keep_bundles([], [job.fit_key])
    fitted(job)
    np.testing.assert_allclose(np.load(file), before, rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(vault.oof(job.fit_key)), np.concatenate(oof))
    assert (vault.folder(job.fit_key) / "split2" / "bundle.json").is_file()


@pytest.mark.parametrize("family", [*ESTIMATORS, *BOOSTERS])
def test_weights_reach_fit_and_score(make_job, family: str) -> None:
    plain, _ = fitted(make_job("regression", family, vault=None))
    weighted, _ = fitted(make_job("regression", family, weight=True, vault=None))
    assert plain.scores != weighted.scores


def test_no_file_is_a_pickle(make_job) -> None:
    job = make_job("binary", "dummy")
    fitted(job)
    suffixes = {path.suffix for path in Path(job.vault).rglob("*") if path.is_file()}
    assert suffixes == {".json", ".npz", ".npy", ".skops"}


def test_a_newer_bundle_is_refused(make_job) -> None:
    job = make_job("binary", "dummy")
    fitted(job)
    folder = Vault(job.vault).folder(job.fit_key) / "split0"
    file = folder / "bundle.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(StoreError, match="has version 99"):
        load_predictor(folder)


@pytest.mark.parametrize("family", [*BOOSTERS, NEURAL[0]])
def test_a_fit_without_time_ends_early_on_every_split_and_is_another_fit(make_job, family: str) -> None:
    job = make_job("binary", family)
    result, reports = fitted(job.model_copy(update={"seconds": 0.01}))
    assert result.truncated
    assert [r.split for r in reports] == [0, 1, 2][: len(result.scores)]
    vault = Vault(job.vault)
    assert result.fit_key != job.fit_key
    assert vault.has(result.fit_key)
    assert not vault.has(job.fit_key)
    assert vault.result(result.fit_key) == result
    whole, _ = fitted(job)
    assert not whole.truncated
    assert not whole.cached


def test_fits_that_the_clock_ended_elsewhere_are_others(make_job) -> None:
    job = make_job("binary", "lightgbm", seconds=0.0)
    first, _ = fitted(job)
    other, _ = fitted(job.model_copy(update={"values": {"lr": 0.2}}))  # the same keys, and got further
    assert first.truncated
    assert other.truncated
    assert other.fit_key != first.fit_key
    vault = Vault(job.vault)
    assert vault.result(other.fit_key).scores == other.scores
    shutil.rmtree(vault.folder(first.fit_key) / "split0")
    assert fitted(job)[0].fit_key == first.fit_key
    assert (vault.folder(first.fit_key) / "split0" / "bundle.json").is_file()
    assert not vault.folder(job.fit_key).exists()
