"""The experiments on Kaggle's tables, which do not come along: their features, their factories, and what they reach."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbench
from workbench import registry
from workbench.data.features import step_of
from workbench.experiment import Experiment
from workbench.metrics import ACCURACY, RMSLE
from workbench.workspace import open_workspace

FOLDER = Path(__file__).resolve().parents[2] / "experiments"
QUICK = ["data.sample_submission=null", "training.executor=inline", "folds.repeats=1", "folds.splits=3"]


def loaded(name: str, attribute: str):
    return registry.load(f"features:{attribute}", FOLDER / name)


@pytest.fixture
def filled(shared_data, tmp_path: Path):
    """Return a function that copies an experiment and puts a split of the labelled rows in the place of its tables."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(FOLDER / name, folder, ignore=shutil.ignore_patterns("*.csv", ".workbench", "__pycache__"))
        for table in ("train.csv", "test.csv"):
            shutil.copy(shared_data(name) / "split" / table, folder)
        return folder

    return make


def passengers() -> pd.DataFrame:
    """Two on one ticket, two of one family, and one alone."""
    return pd.DataFrame(
        {
            "Name": ["Fox, Mrs. Ann", "Roe, Miss. Ida", "Lee, Mr. Ed", "Lee, Master. Tom", "Poe, Dr. Al"],
            "Sex": ["female", "female", "male", "male", "male"],
            "Ticket": ["PC 1", "PC 1", "2", "3", "4"],
            "Cabin": ["C85", None, None, None, None],
            "SibSp": [0.0, 0.0, 0.0, 0.0, 0.0],
            "Parch": [0.0, 0.0, 1.0, 1.0, 0.0],
            "Fare": [30.0, 30.0, 8.0, 8.0, 7.0],
        }
    ).astype({"Cabin": object})


def test_what_a_passengers_row_says_by_itself() -> None:
    frame = loaded("titanic", "v1")(passengers())
    assert list(frame["title"]) == ["Mrs", "Miss", "Mr", "Master", "rare"]
    assert list(frame["ticket_prefix"]) == ["PC", "PC", "none", "none", "none"]
    assert list(frame["fare_per_person"]) == [30.0, 30.0, 4.0, 4.0, 7.0]
    assert frame["deck"][0] == "C"


def test_a_passengers_own_fate_is_no_feature_of_the_passenger() -> None:
    frame = loaded("titanic", "v1")(passengers())
    fates = ["ticket_fate", "ticket_companions", "family_fate", "family_companions"]

    def learnt(fate: float) -> pd.DataFrame:
        """Give each sex the same expectation whatever the first woman's fate is, so that only her group can tell."""
        transformer = loaded("titanic", "v2")()
        y = pd.Series([fate, 1.0 - fate, 1.0, 0.0, 0.0])
        return transformer.fit_transform(frame.copy(), y)[fates]

    survived, died = learnt(1.0), learnt(0.0)
    assert survived["ticket_fate"][0] == -0.25  # her companion died; one who is unknown counts as much
    assert died["ticket_fate"][0] == 0.25
    assert survived["ticket_companions"].tolist() == [1, 1, 0, 0, 0]
    assert survived["family_companions"].tolist() == [0, 0, 1, 1, 0]
    alone = survived.loc[4, fates].tolist()
    assert alone == [0.0, 0.0, 0.0, 0.0]


def test_a_neighbourhood_of_few_houses_is_pulled_towards_all() -> None:
    count = 40
    frame = pd.DataFrame(
        {
            "Neighborhood": ["big"] * (count - 1) + ["small"],
            "MSSubClass": ["20"] * count,
            "OverallQual": [5.0] * count,
            "total_area": [1000.0] * count,
            "log_total_area": [np.log(1000.0)] * count,
        }
    )
    price = pd.Series([100.0] * (count - 1) + [1000.0])
    levels = loaded("house_prices", "v2")().fit_transform(frame, price)["Neighborhood_price"]
    assert levels[0] == pytest.approx(np.log(100.0))
    assert np.log(100.0) < levels[count - 1] < np.log(100.0) + 0.3


@pytest.mark.parametrize("name", ["titanic", "house_prices"])
def test_feature_sets_are_chains(name: str) -> None:
    assert [step.scope for step in step_of(loaded(name, "v2")).chain][-1] == "fold"
    assert all(step.scope == "row" for step in step_of(loaded(name, "v1")).chain)


@pytest.mark.slow
def test_titanic_is_delivered_with_its_features(filled) -> None:
    folder = filled("titanic")
    families = "families=[dummy, linear, {name: kernel, factory: 'factories:kernel', preparation: one_hot}]"
    result = workbench.run(Experiment.from_folder(folder, [*QUICK, "search.trials=1", families]))
    assert {member.family for member in result.members} <= {"linear+v2", "kernel+v2"}
    truth = pd.read_csv(folder / "test.csv").set_index("PassengerId")["Survived"]
    predicted = pd.read_csv(result.paths.submission).set_index("PassengerId")["Survived"]
    assert predicted.index.equals(truth.index)
    assert ACCURACY(truth.to_numpy(), predicted.to_numpy(dtype=float)[:, None]) > 0.81


@pytest.mark.soak
@pytest.mark.keras
def test_houses_are_priced_by_curves_a_kernel_and_a_network(filled, searched) -> None:
    folder = filled("house_prices")
    models = [f"{{name: {name}, factory: 'factories:{name}', preparation: one_hot}}" for name in ("curves", "kernel")]
    families = f"families=[{', '.join(models)}, 'factories:network']"
    truth = pd.read_csv(folder / "test.csv")["SalePrice"].to_numpy(dtype=float)
    with open_workspace(Experiment.from_folder(folder, [*QUICK, "training.epochs=15", families])) as workspace:
        for family, trial in searched(workspace).items():
            predicted = workspace.vault.test(trial.result.fit_key, workspace.dataset.test_key)
            assert RMSLE(truth, predicted) < 0.155, family


@pytest.mark.soak
@pytest.mark.keras
def test_the_network_of_the_titanic_trains(filled, searched) -> None:
    options = [*QUICK, "training.epochs=8", "families=[dummy, 'factories:network']"]
    with open_workspace(Experiment.from_folder(filled("titanic"), options)) as workspace:
        trials = searched(workspace)
    assert trials["network+v2"].result.score > trials["dummy"].result.score + 0.1
