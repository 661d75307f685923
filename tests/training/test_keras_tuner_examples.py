"""KerasTuner's own examples, unmodified, under both engines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from workbench import registry
from workbench.config.models import ExperimentConfig
from workbench.data.building import load_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan, make_plan
from workbench.errors import FactoryError, TrialFailed, TrialStopped
from workbench.models.identity import code_identity
from workbench.search.engine import EngineOptions, Outcome
from workbench.store.vault import Vault
from workbench.training import fit
from workbench.training.bundle import load_predictor
from workbench.training.describe import OWN_FIT
from workbench.training.runner import run
from workbench.types import Description, FamilyRef, Job, MetricRef, Reported, TrainingSettings, TrialResult, Values

pytestmark = pytest.mark.keras

ROWS = 128
EPOCHS = 2


def silent(_: object) -> bool:
    return False


def digits() -> pd.DataFrame:
    """Return scikit-learn's digits as images of 28 by 28, a pixel a column: what MNIST is as a table."""
    images, label = load_digits(return_X_y=True)
    large = np.kron(images.reshape(-1, 8, 8)[:ROWS], np.ones((3, 3)))
    pixels = np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(ROWS, -1)
    return pd.DataFrame(pixels, columns=[f"p{i:03}" for i in range(784)]).assign(label=label[:ROWS])


@pytest.fixture(scope="module")
def digits_job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """Return a function that gives a job on the digits for a factory of the examples."""
    folder = tmp_path_factory.mktemp("digits")
    frame = digits()
    frame.to_csv(folder / "train.csv", index=False)
    shutil.copyfile(Path(__file__).with_name("keras_tuner_guides.py"), folder / "guides.py")
    constant = [name for name in frame.columns if frame[name].nunique() == 1]
    data = {"train": "train.csv", "target": "label", "columns": dict.fromkeys(constant, "numeric")}
    made: dict[str, tuple[Path, Path]] = {}

    def data_of(task: str) -> tuple[Path, Path]:
        config = ExperimentConfig.model_validate({"data": data, "task": task, "metric": METRICS[task]})
        dataset = load_dataset(config, folder, "probabilities" if task == "multiclass" else "values")
        plan = make_plan(dataset, config.folds.model_copy(update={"splits": 2}), seed=0)
        dataset.save(folder / f"data-{task}")
        plan.save(folder / f"plan-{task}.npz")
        return folder / f"data-{task}", folder / f"plan-{task}.npz"

    def job(factory: str, task: str = "multiclass", **options) -> Job:
        if task not in made:
            made[task] = data_of(task)
        dataset, plan = made[task]
        code = code_identity(f"guides:{factory}", folder)
        family = FamilyRef(name="own", factory=f"guides:{factory}", root=folder, code=code)
        metric = MetricRef(name=METRICS[task], needs="probabilities" if task == "multiclass" else "values")
        settings = TrainingSettings(epochs=EPOCHS, threads=1)
        fields = {"kind": "fit", "job_id": "job", "family": family, "metric": metric, "settings": settings}
        return Job(**{**fields, "dataset": dataset, "plan": plan, **options})

    return job


METRICS = {"multiclass": "log_loss", "regression": "rmse"}

EXAMPLES = {
    "build_model": {"num_layers", "units_0", "units_2", "activation", "dropout", "lr"},
    "build_mlp_or_cnn": {"model_type", "mlp_layers", "units_2", "cnn_layers", "filters_2", "dropout"},
    "MyHyperModel": {"units", "normalize", "shuffle"},
}


@pytest.mark.parametrize("factory", EXAMPLES)
def test_an_example_is_searched_under_both_engines(digits_job, factory):
    described = run(digits_job(factory, kind="describe"), silent)
    assert isinstance(described, Description)
    space = described.space
    assert {parameter.name for parameter in space.parameters} >= EXAMPLES[factory]
    for name, sampler in (("optuna", "tpe"), ("keras_tuner", "random")):
        engine = registry.resolve("engines", name)(EngineOptions("minimize", seed=1, sampler=sampler))
        suggestion = engine.ask(1, space)
        result = run(digits_job(factory, values=suggestion.values), silent)
        assert isinstance(result, TrialResult)
        assert result.values == suggestion.values
        assert result.epochs == (EPOCHS, EPOCHS)
        assert np.isfinite(result.score)
        engine.tell(1, Outcome(suggestion, "complete", (result.score,)), space)


def test_a_fit_of_its_own_is_watched_stored_and_repeated(digits_job, tmp_path):
    values: Values = {"units": 32, "normalize": False, "shuffle": True}
    job = digits_job("MyHyperModel", values=values, vault=tmp_path / "vault", fit_key="f" * 16)
    reports: list[Reported] = []
    first = run(job, lambda report: bool(reports.append(report)))
    assert [(report.split, report.epoch) for report in reports] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(report.loss is not None for report in reports)
    assert first.score == run(digits_job("MyHyperModel", values=values), silent).score
    rows = FoldPlan.open(job.plan).validate(1)
    predictor = load_predictor(Vault(job.vault).folder(job.fit_key) / "split1")
    frame = Dataset.open(job.dataset).features.iloc[rows]
    np.testing.assert_allclose(predictor.predict(frame), Vault(job.vault).oof(job.fit_key)[1], rtol=1e-5)
    assert first.score < np.log(10), "it learns"


def test_epochs_of_its_own_end_at_the_experiments(digits_job):
    job = digits_job("EpochsHyperModel", "regression")
    described = run(job.model_copy(update={"kind": "describe"}), silent)
    assert {parameter.name for parameter in described.space.parameters} == {"units", "epochs"}
    assert described.notices == (OWN_FIT,)
    result = run(job, silent)
    assert result.values == {"units": 8, "epochs": 5}
    assert result.epochs == (EPOCHS, EPOCHS)
    reports: list[object] = []
    with pytest.raises(TrialStopped):
        run(job, lambda report: reports.append(report) is None)
    assert len(reports) == 1


def test_values_of_a_fit_of_its_own_are_those_of_its_checkpoints(digits_job, tmp_path, monkeypatch):
    job = digits_job("EpochsHyperModel", "regression", vault=tmp_path / "v", fit_key="f" * 16, checkpoint_s=0.0)

    def full(*_: object) -> None:
        raise TrialFailed("disk", "no space left on the disk")

    before: list[Reported] = []
    monkeypatch.setattr(fit, "store", full)
    with pytest.raises(TrialFailed, match="space"):
        run(job, lambda report: bool(before.append(report)))
    monkeypatch.undo()
    again: list[Reported] = []
    assert run(job, lambda report: bool(again.append(report))).values == {"units": 8, "epochs": 5}
    assert again == before


def test_an_image_of_another_size_is_refused_with_both_shapes(digits_job):
    job = digits_job("build_mlp_or_cnn", kind="describe")
    source = (job.family.root / "guides.py").read_text().replace("(28, 28, 1)", "(32, 32, 3)")
    (job.family.root / "large.py").write_text(source)
    family = job.family.model_copy(update={"factory": "large:build_mlp_or_cnn"})
    with pytest.raises(FactoryError, match=r"shape \(32, 32, 3\), 3072 numbers a row.*shape \(784,\)"):
        run(job.model_copy(update={"family": family}), silent)
