"""A tiny experiment, as the commands see it."""

from pathlib import Path

import pytest

from workbench.experiment import Experiment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an experiment that nothing has been run of."""
    made = tmp_path / "houses"
    made.mkdir()
    (made / "train.csv").write_text("a,price\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    (made / "experiment.yaml").write_text("data: {train: train.csv, target: price}\nmetric: rmse\n")
    return made


@pytest.fixture
def experiment(folder: Path) -> Experiment:
    return Experiment.from_folder(folder)
