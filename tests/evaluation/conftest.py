"""A small experiment whose families a stub trains."""

import json

import numpy as np
import pandas as pd
import pytest

from workbench.evaluation.bench import open_bench
from workbench.evaluation.idea import compare
from workbench.evaluation.selection import select
from workbench.experiment import Experiment
from workbench.search.progress import Silent
from workbench.workspace import open_workspace

RUNNER = "tests.evaluation.ideas_runner:run"
YAML = """\
name: ideas
data: {train: train.csv, target: y}
metric: rmse
families: [dummy, lightgbm, xgboost]
search: {trials: 3, engine: random}
training: {executor: inline}
"""
FACTORIES = """\
from sklearn.linear_model import Ridge


def ridge(hp, problem):
    return Ridge(hp.Float("lr", 0.01, 0.3))
"""


class Listening(Silent):
    """An observer that keeps what it is told."""

    def __init__(self):
        self.notices = []

    def notice(self, text):
        self.notices.append(text)


class Desk:
    """An experiment with its bench open, to compare ideas on without MLflow."""

    def __init__(self, workspace, bench):
        self.workspace, self.bench, self.ledger = workspace, bench, workspace.ledger
        self.sweep = self.ledger.open_sweep("ideas")

    def compare(self, family="lightgbm", features=None, values=None, against=None, note="", seeds=3):
        idea = select(self.bench, family, features, values or {}, against)
        return compare(self.bench, idea, self.sweep, note, seeds)[0]

    def executions(self):
        log = self.workspace.experiment.store / "cache" / "executions.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def folder(tmp_path):
    """The folder of an experiment."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"a": generator.normal(size=40), "y": generator.normal(size=40)})
    frame.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "experiment.yaml").write_text(YAML)
    (tmp_path / "factories.py").write_text(FACTORIES)
    return tmp_path


@pytest.fixture
def desk(folder):
    """A desk on the experiment."""
    observer = Listening()
    with (
        open_workspace(Experiment.from_folder(folder)) as workspace,
        open_bench(workspace, observer, RUNNER) as bench,
    ):
        yield Desk(workspace, bench)
