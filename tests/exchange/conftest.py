"""Two members of a team: one with trained trials of a family of her own and of a built-in one, one with none."""

from __future__ import annotations

import contextlib
import shutil

import numpy as np
import pandas as pd
import pytest

from workbench.evaluation.bench import Configuration, open_bench
from workbench.exchange.merging import Merging
from workbench.exchange.opening import opened
from workbench.exchange.packing import pack
from workbench.experiment import Experiment
from workbench.search.progress import Silent
from workbench.workspace import open_workspace

YAML = """\
name: team
data: {train: train.csv, test: test.csv, target: y}
metric: rmse
folds: {splits: 2, seed: 5}
families: [dummy, lightgbm, {name: ridge, factory: "factories:ridge"}]
training: {executor: inline, rounds: 3}
ensemble: {method: mean}
"""
FACTORIES = """\
from pathlib import Path

from helpers import strength
from sklearn.linear_model import Ridge

with Path(__file__).with_name("executed").open("a") as log:
    log.write("x")


def ridge(hp, problem):
    return Ridge(hp.Float("alpha", 0.1, 10.0) * strength())
"""


class Member:
    """A member of the team, with a folder of her own."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.experiment = Experiment.from_folder(folder).with_options(seed=seed)

    @contextlib.contextmanager
    def workspace(self):
        with open_workspace(self.experiment) as workspace:
            yield workspace

    def train(self, *configurations):
        with self.workspace() as workspace, open_bench(workspace, Silent(), "workbench.training.runner:run") as bench:
            sweep = workspace.ledger.open_sweep("team")
            for name, values in configurations:
                family = next(family for family in workspace.families if family.name == name)
                bench.run(Configuration(family, values, workspace.ground), sweep, "")

    def pack(self, out, **options):
        return pack(self.experiment, out, author="alice", **options)

    def merge(self, file):
        """Merge without a sweep in MLflow."""
        with self.workspace() as workspace, opened(file) as opened_pack:
            merging = Merging(workspace, opened_pack)
            return merging.told(merging.record(merging.take(), workspace.ledger.open_sweep("team")))

    def vault(self):
        """The files in the vault."""
        return sorted(path for path in (self.experiment.store / "vault").rglob("*") if path.is_file())


def folder_of(path):
    path.mkdir()
    generator = np.random.default_rng(0)
    for name, rows in (("train", 60), ("test", 10)):
        frame = pd.DataFrame({"a": generator.normal(size=rows), "b": generator.normal(size=rows)})
        frame["y"] = frame.a + 0.1 * frame.b
        frame.drop(columns=["y"] if name == "test" else []).to_csv(path / f"{name}.csv", index=False)
    (path / "experiment.yaml").write_text(YAML)
    (path / "factories.py").write_text(FACTORIES)
    (path / "helpers.py").write_text("def strength():\n    return 2.0\n")
    return path


@pytest.fixture(scope="session")
def alice(tmp_path_factory):
    """A member with trained trials; nobody changes them."""
    member = Member(folder_of(tmp_path_factory.mktemp("team") / "alice"), seed=1)
    member.train(("dummy", {}), ("ridge", {"alpha": 1.0}), ("ridge", {"alpha": 0.5}), ("lightgbm", {}))
    return member


@pytest.fixture(scope="session")
def packed(alice):
    """What alice has packed."""
    return alice.pack(alice.folder / "alice.wbz").file


@pytest.fixture
def bob(tmp_path):
    """A member with the same tables and folds, another seed, and no trials; his own factories are other ones."""
    folder = folder_of(tmp_path / "bob")
    (folder / "factories.py").write_text("def ridge(hp, problem):\n    raise ValueError('this is not the code')\n")
    return Member(folder, seed=2)


@pytest.fixture
def copied(packed, tmp_path):
    """A pack of one's own, to tamper with."""
    return shutil.copyfile(packed, tmp_path / "alice.wbz")
