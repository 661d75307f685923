"""The experiments that come along: each works in a copy of its folder, and the network of the hello world learns."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from workbench.experiment import Experiment
from workbench.metrics import LOG_LOSS
from workbench.store.ledger import Trial
from workbench.workspace import Workspace, open_workspace

FOLDER = Path(__file__).resolve().parents[2] / "experiments"
EXPERIMENTS = sorted(file.parent.name for file in FOLDER.glob("*/make_data.py"))


@pytest.fixture
def copy(tmp_path: Path):
    """Return a function that copies what is committed of an experiment, and writes its data."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in FOLDER.joinpath(name).iterdir():
            if file.suffix in (".py", ".yaml", ".md"):
                shutil.copy(file, folder)
        runpy.run_path(str(folder / "make_data.py"), run_name="__main__")
        return folder

    return make


def test_the_experiments_of_the_readme_are_there() -> None:
    assert {"breast_cancer", "diabetes", "digits", "xor"} <= set(EXPERIMENTS)
    listed = FOLDER.joinpath("README.md").read_text("utf-8")
    for file in FOLDER.glob("*/experiment.yaml"):
        assert f"[{file.parent.name}]({file.parent.name})" in listed
        assert file.with_name("README.md").is_file()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_valid_in_a_copy_of_its_folder(copy, name: str) -> None:
    folder = copy(name)
    with open_workspace(Experiment.from_folder(folder)) as workspace:
        dataset, data = workspace.dataset, workspace.experiment.config.data
    assert {path.name for path in folder.iterdir()} >= {"train.csv", "test.csv", "solution.csv", "README.md"}
    solution = pd.read_csv(folder / "solution.csv", dtype={data.id: str})
    assert list(solution.columns) == [data.id, data.target]
    assert dataset.test_ids is not None
    assert dataset.ids is not None
    assert list(map(str, dataset.test_ids)) == list(solution[data.id])
    assert data.target not in pd.read_csv(folder / "test.csv")
    assert len(dataset.y) >= 200


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_training_row_is_tested(copy, name: str) -> None:
    folder = copy(name)
    config = yaml.safe_load((folder / "experiment.yaml").read_text("utf-8"))
    features = [c for c in pd.read_csv(folder / "test.csv") if c != config["data"]["id"]]
    train, test = (pd.read_csv(folder / file)[features].astype(float) for file in ("train.csv", "test.csv"))
    assert train.merge(test, on=features).empty


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_same_data_is_written_again(copy, name: str) -> None:
    folder = copy(name)
    before = {file.name: file.read_bytes() for file in folder.glob("*.csv")}
    runpy.run_path(str(folder / "make_data.py"), run_name="__main__")
    assert {file.name: file.read_bytes() for file in folder.glob("*.csv")} == before


@pytest.mark.parametrize("name", sorted(file.parent.name for file in FOLDER.glob("*/experiment.yaml")))
def test_editors_find_the_schema(name: str) -> None:
    comment = FOLDER.joinpath(name, "experiment.yaml").read_text("utf-8").splitlines()[0]
    assert FOLDER.joinpath(name, comment.partition("$schema=")[2]).is_file()


def corners(workspace: Workspace, trial: Trial) -> np.ndarray:
    """Return what a trial's models predict for the four corners without noise."""
    assert trial.result is not None, trial
    return workspace.vault.test(trial.result.fit_key, workspace.dataset.test_key)


@pytest.mark.slow
@pytest.mark.keras
def test_the_convolutions_see_what_no_table_says(copy, searched) -> None:
    small = ["folds.splits=2", "training.epochs=10", "training.executor=inline"]
    families = "families=[{name: cnn, factory: 'factories:cnn', preparation: native}]"
    with open_workspace(Experiment.from_folder(copy("digits"), [*small, families])) as workspace:
        assert searched(workspace)["cnn"].result.score > 0.97


@pytest.mark.keras
def test_the_network_learns_xor_and_a_line_does_not(copy, searched) -> None:
    experiment = Experiment.from_folder(copy("xor"), ["training.executor=inline", "training.epochs=60"])
    y = np.array([0, 1, 1, 0])
    with open_workspace(experiment) as workspace:
        network = searched(workspace)["network"]
        assert LOG_LOSS(y, corners(workspace, network)) < 0.1
    # The same factory without a hidden layer is a logistic regression: for XOR no better than tossing a coin.
    factories = experiment.root / "factories.py"
    source = factories.read_text("utf-8")
    assert 'hp.Int("layers", 0, 2, default=1)' in source
    factories.write_text(source.replace("0, 2, default=1", "0, 2, default=0"), "utf-8")
    with open_workspace(experiment) as workspace:
        line = searched(workspace)["network"]
        assert LOG_LOSS(y, corners(workspace, line)) > 0.6
