"""Feature sets in a sweep: one factory on two tables, blended, exported, and predicted from raw rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import workbench
from tests.sweep.conftest import make_experiment, write_tables
from workbench.data.features import load_steps
from workbench.delivery.frozen_blend import FrozenBlend
from workbench.errors import ConfigError, DataError
from workbench.experiment import Experiment
from workbench.types import FeaturesRef

YAML = """\
name: noted
data: {train: train.csv, test: test.csv, target: y, id: id}
metric: log_loss
families: [dummy, lightgbm, {name: lightgbm, features: v2}]
folds: {splits: 2}
search: {trials: 1}
training: {rounds: 30, rounds_patience: 5}
"""
FEATURES = """\
from workbench import feature_set
from words import last

@feature_set
def v1(frame):
    frame["mood"] = last(frame["note"])
    return frame

@feature_set(after=v1)
class v2:
    def fit_transform(self, frame, y):
        self.means = y.groupby(frame["mood"]).mean()
        return self.transform(frame)

    def transform(self, frame):
        return frame.assign(mood_mean=frame["mood"].map(self.means)).drop(columns="a")
"""
WORDS = "def last(text):\n    return text.str.split().str[-1]\n"

pytestmark = pytest.mark.xdist_group("sweep features")  # the sweep is run once


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A finished sweep over tables whose free text tells of the target what ``a``, which v2 drops, does not."""
    folder = make_experiment(tmp_path_factory.mktemp("features") / "noted", YAML)
    rng = np.random.default_rng(1)
    for name in ("train", "test"):
        frame = pd.read_csv(folder / f"{name}.csv")
        hidden = frame["y"] if "y" in frame else rng.integers(0, 2, len(frame))
        hidden = np.where(rng.random(len(frame)) < 0.8, hidden, 1 - hidden)
        frame["note"] = [f"row {i} is {'good' if flag else 'bad'}" for i, flag in enumerate(hidden)]
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "features.py").write_text(FEATURES)
    (folder / "words.py").write_text(WORDS)
    return SimpleNamespace(folder=folder, result=workbench.run(str(folder)))


def test_a_family_is_searched_with_and_without_a_feature_set(noted: SimpleNamespace) -> None:
    result = noted.result
    assert result.trials == {name: {"complete": 1} for name in ("dummy", "lightgbm", "lightgbm+v2")}
    assert {member.trial for member in result.members} == {"lightgbm#0000", "lightgbm+v2#0000"}
    assert all(member.weight > 0.1 for member in result.members)
    board = pd.read_csv(result.paths.leaderboard)
    assert "lightgbm+v2#0000" in board.iloc[:, 1].tolist()
    cache = noted.folder / ".workbench" / "cache"
    assert len(list(cache.glob("features-*"))) == 1


def test_the_exported_model_predicts_raw_rows_where_the_experiment_is_gone(
    noted: SimpleNamespace, tmp_path: Path
) -> None:
    result, rows = noted.result, pd.read_csv(noted.folder / "test.csv")
    moved = noted.folder.rename(tmp_path / "moved")
    try:
        blend = FrozenBlend.open(moved / result.paths.model.relative_to(noted.folder) / "artifacts" / "blend")
        again = blend.frame(rows[::-1]).sort_values("id", ignore_index=True)
        submitted = pd.read_csv(moved / result.paths.submission.relative_to(noted.folder))
    finally:
        moved.rename(noted.folder)
    pd.testing.assert_frame_equal(again, submitted, rtol=1e-12)
    with pytest.raises(DataError, match="lacks a column of the training table: 'note'"):
        blend.predict(rows.drop(columns="note"))


def test_editing_a_set_changes_what_stands_on_it_and_nothing_else(noted: SimpleNamespace) -> None:
    families = "families=[lightgbm, {name: lightgbm, features: v1}, {name: lightgbm, features: v2}]"

    def codes() -> list[str]:
        refs = Experiment.from_folder(noted.folder, [families]).family_refs()
        return [ref.features.code if ref.features else ref.code for ref in refs]

    before, file = codes(), noted.folder / "features.py"
    changed = []
    for text in (
        FEATURES + "# a comment\n",
        FEATURES.replace("self.means))", "self.means).fillna(0.5))"),
        FEATURES.replace('frame["mood"] =', 'frame["length"] = frame["note"].str.len()\n    frame["mood"] ='),
    ):
        file.write_text(text)
        changed.append([old != new for old, new in zip(before, codes(), strict=True)])
    (noted.folder / "words.py").write_text(WORDS.replace("-1", "-2"))
    file.write_text(FEATURES)
    changed.append([old != new for old, new in zip(before, codes(), strict=True)])
    (noted.folder / "words.py").write_text(WORDS)
    assert changed == [
        [False, False, False],
        [False, False, True],
        [False, True, True],
        [False, True, True],
    ]


def test_unknown_sets_are_told_when_the_configuration_is_read(noted: SimpleNamespace, tmp_path: Path) -> None:
    told = r"families\.2\.features: features\.py has no feature set 'v22'; it has v1, v2\. Did you mean 'v2'\?"
    with pytest.raises(ConfigError, match=told):
        Experiment.from_folder(noted.folder, ["families=[dummy, lightgbm, {name: lightgbm, features: v22}]"])
    (noted.folder / "features.py").write_text(FEATURES + "def last(frame): ...\n")
    with pytest.raises(ConfigError, match=r"features: 'last' of features\.py is no feature set; put @feature_set"):
        Experiment.from_folder(noted.folder, ["features=last"])
    (noted.folder / "features.py").write_text(FEATURES)
    write_tables(tmp_path)
    with pytest.raises(ConfigError, match=r"features: there is no features\.py in"):
        Experiment(tmp_path / "train.csv", target="y", metric="auc", features="v1", root=tmp_path)
    labels = Experiment.from_folder(noted.folder, ["features=v1"]).config.family_configs
    assert [family.label for family in labels] == ["dummy", "lightgbm+v1", "lightgbm+v2"]


SCRIPT = """\
import json
import numpy as np
from workbench import Experiment, feature_set

STEPS = (1, 2)

@feature_set
def rounded(frame):
    return frame.assign(c=np.round(frame["a"], STEPS[0]))

@feature_set(after=rounded)
class means:
    def fit(self, frame, y):
        self.means = y.groupby(frame["kind"]).mean()

    def transform(self, frame):
        return frame.assign(mean=frame["kind"].map(self.means))

experiment = Experiment(
    "train.csv", target="y", metric="auc", features=means,
    families=["dummy", "lightgbm", {"name": "xgboost", "features": rounded}],
)
print(json.dumps([ref.model_dump(mode="json") for ref in experiment.family_refs()]))
"""


def test_feature_sets_of_a_script_travel_as_source(tmp_path: Path) -> None:
    write_tables(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    dummy, light, xgb = json.loads(done.stdout)
    assert dummy["features"] is None
    assert (light["name"], xgb["name"]) == ("lightgbm+means", "xgboost+rounded")
    chains = [load_steps(FeaturesRef.model_validate(ref["features"])) for ref in (light, xgb)]
    assert [[(step.name, step.scope) for step in chain] for chain in chains] == [
        [("rounded", "row"), ("means", "fold")],
        [("rounded", "row")],
    ]
