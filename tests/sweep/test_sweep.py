"""What a sweep leaves behind, and how it goes on after anything."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbench
from tests.sweep.conftest import YAML, make_experiment
from workbench.delivery.result import read_result
from workbench.errors import DataError, FactoryError, NothingToDeliver
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger
from workbench.sweep import stored_leaderboard, submit

# One process for all that look at the finished sweep, so that it is made once.
looks_at_done = pytest.mark.xdist_group("sweep")


WORKBENCH = str(Path(sys.executable).with_name("workbench"))


def command(*arguments):
    return [sys.executable, "-m", "workbench.cli", *map(str, arguments)]


def trials(folder):
    """Return (family, number, state, values, score) of every trial of a ledger."""
    ledger = Ledger.open(sqlite_url(folder / ".workbench" / "ledger.db"))
    try:
        return [
            (t.family, t.number, t.state, t.values, t.result.score if t.result else None)
            for study in (1, 2)
            for t in ledger.trials(study)
        ]
    finally:
        ledger.close()


def mlflow_runs(folder):
    connection = sqlite3.connect(folder / ".workbench" / "mlflow.db")
    try:
        return connection.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
    finally:
        connection.close()


@looks_at_done
def test_the_submission_covers_the_test_table(done):
    frame = pd.read_csv(done.result.paths.submission)
    test = pd.read_csv(done.folder / "test.csv")
    assert list(frame.columns) == ["id", "y"]
    assert frame["id"].tolist() == test["id"].tolist()
    assert frame["y"].between(0, 1).all()
    assert frame["y"].std() > 0.05


@looks_at_done
def test_result_json_says_what_the_sweep_came_to(done):
    result = read_result(done.result.paths.folder / "result.json")
    assert result == done.result
    raw = json.loads((done.result.paths.folder / "result.json").read_text())
    assert raw["version"] == 1
    assert sum(member["weight"] for member in raw["members"]) == pytest.approx(1.0)
    assert raw["trials"] == {"dummy": {"complete": 1}, "lightgbm": {"complete": 4}}
    assert raw["scores"]["in_sample"] <= raw["scores"]["best_single"] + 1e-12
    assert raw["mlflow_run_id"]


@looks_at_done
def test_a_renamed_experiment_is_told_where_its_trials_are(done):
    renamed = workbench.Experiment.from_folder(done.folder, ["name=other"])
    with pytest.raises(NothingToDeliver, match=r"the store holds trials of \w+: 'name: \w+'"):
        stored_leaderboard(renamed, per_family=1)


@looks_at_done
def test_the_blend_and_the_base_are_on_the_leaderboard(done):
    rows, counted = stored_leaderboard(workbench.Experiment.from_folder(done.folder), per_family=4)
    assert [(tally.family, tally.states) for tally in counted] == [
        ("dummy", {"complete": 1}),
        ("lightgbm", {"complete": 4}),
    ]
    assert {row.family for row in rows} == {"blend", "dummy", "lightgbm"}
    assert len([row for row in rows if row.family == "lightgbm"]) == 4
    (base,) = [row for row in rows if row.family == "dummy"]
    assert base.place == len(rows)


@looks_at_done
def test_every_trial_is_a_nested_finished_run_in_mlflow(done):
    names = [*(f"lightgbm#{n:04d}" for n in range(4)), "dummy#0000", done.result.title]
    names.append(f"0001.blend {done.result.method}")
    assert mlflow_runs(done.folder) == [(name, "FINISHED") for name in sorted(names)]


@looks_at_done
def test_predict_gives_the_submission_again_for_shuffled_rows_with_other_columns(done, tmp_path):
    test = pd.read_csv(done.folder / "test.csv")
    shuffled = test.sample(frac=1, random_state=1)[["kind", "id", "b", "a"]].assign(extra="x")
    shuffled.to_csv(tmp_path / "rows.csv", index=False)
    out = tmp_path / "out.csv"
    model = done.result.paths.model
    subprocess.run(command("predict", model, tmp_path / "rows.csv", "-o", out), check=True, capture_output=True)
    predicted = pd.read_csv(out).set_index("id")["y"]
    assert predicted.index.tolist() == shuffled["id"].tolist()
    expected = pd.read_csv(done.result.paths.submission).set_index("id")["y"]
    np.testing.assert_allclose(predicted, expected.loc[predicted.index], rtol=1e-5)


@looks_at_done
def test_a_finished_sweep_run_again_does_nothing(done):
    before = (trials(done.folder), mlflow_runs(done.folder))
    began = time.monotonic()
    again = workbench.run(str(done.folder))
    assert again.model_copy(update={"seconds": done.result.seconds}) == done.result
    assert time.monotonic() - began < 5.0
    assert (trials(done.folder), mlflow_runs(done.folder)) == before


@looks_at_done
def test_more_trials_are_added_and_a_new_sweep_delivers(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "small")
    result = workbench.run(str(folder), more=1)
    assert result.sweep == 2
    assert result.trials == {"dummy": {"complete": 1}, "lightgbm": {"complete": 5}}
    assert trials(folder)[:5] == trials(done.folder)[:5]


@looks_at_done
def test_submit_delivers_from_what_is_stored(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "small")
    result = submit(workbench.Experiment.from_folder(folder, ["ensemble.per_family=1"]))
    assert len(result.members) == 1
    assert result.paths.submission.exists()
    assert trials(folder) == trials(done.folder)


@looks_at_done
@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_as_an_undisturbed_one(done, tmp_path):
    """So the seed alone decides what a sweep comes to. Files of the folder one stands in are nobody's libraries."""
    folder = make_experiment(tmp_path / "small")
    (tmp_path / "calendar.py").write_text("raise RuntimeError('my own script')\n")
    run = [WORKBENCH, "run", str(folder)]
    killed = subprocess.Popen(run, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in killed.stdout:
        if line.startswith("lightgbm#0001"):
            break
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert len(trials(folder)) < len(trials(done.folder))
    again = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "lightgbm#0003" in again.stdout
    assert "lightgbm#0000 complete" not in again.stdout
    assert trials(folder) == trials(done.folder)
    status = dict(mlflow_runs(folder))
    assert "RUNNING" not in status.values()
    assert sorted(name for name in status if "#" in name) == ["dummy#0000"] + [f"lightgbm#{n:04d}" for n in range(4)]
    (file,) = folder.glob(".workbench/sweeps/*/result.json")
    result = read_result(file)
    assert result.scores == done.result.scores
    assert [m.model_dump() for m in result.members] == [m.model_dump() for m in done.result.members]
    assert result.paths.submission.read_text() == done.result.paths.submission.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_sweep_says_so_and_gives_its_trials_back(tmp_path, number, code):
    folder = make_experiment(tmp_path / "small", YAML.replace("trials: 4", "trials: 200"))
    process = subprocess.Popen(command("run", folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("lightgbm#0000"):
            break
    began = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert time.monotonic() - began < 25.0
    assert "run the same command again to go on" in stderr
    assert {state for _, _, state, _, _ in trials(folder)} <= {"complete", "queued"}
    assert "RUNNING" not in dict(mlflow_runs(folder)).values()


@pytest.mark.slow
def test_a_time_budget_is_kept_and_delivers(tmp_path):
    folder = make_experiment(tmp_path / "small", YAML.replace("trials: 4", "trials: 100000"))
    result = workbench.run(str(folder), seconds=15.0)
    assert result.seconds < 60.0
    assert result.paths.submission.exists()
    assert sum(result.trials["lightgbm"].values()) < 100_000


def test_a_factory_that_cannot_be_used_is_told_before_anything_is_searched(tmp_path):
    folder = make_experiment(tmp_path / "small", YAML.replace("lightgbm", "'factories:broken'"))
    (folder / "factories.py").write_text("def broken(hp):\n    return hp.Int('depth', 1, 5) / 0\n")
    with pytest.raises(FactoryError, match=r"family 'broken'.*ZeroDivisionError") as error:
        workbench.run(str(folder))
    assert "factories.py" in str(error.value)
    assert trials(folder) == []


def test_a_mistake_in_the_data_is_told_before_a_store_is_made(tmp_path):
    folder = make_experiment(tmp_path / "small")
    frame = pd.read_csv(folder / "train.csv")
    frame.assign(y=1).to_csv(folder / "train.csv", index=False)
    with pytest.raises(DataError, match="'y'"):
        workbench.run(str(folder))
    assert not (folder / ".workbench").exists()


def test_a_mistake_in_a_metric_is_told_before_anything_is_searched(tmp_path):
    metric = "{function: 'metrics:boom', direction: maximize}"
    folder = make_experiment(tmp_path / "small", YAML.replace("metric: log_loss", f"metric: {metric}"))
    (folder / "metrics.py").write_text("def boom(y, p):\n    raise ValueError('boom')\n")
    with pytest.raises(FactoryError, match=r"metric 'metrics:boom' raised ValueError: boom .*metrics.py, line 2"):
        workbench.run(str(folder))


def test_an_edited_metric_begins_a_study_of_its_own(tmp_path):
    metric = "{function: 'metrics:half', direction: minimize}"
    folder = make_experiment(tmp_path / "small", YAML.replace("metric: log_loss", f"metric: {metric}"))
    keys = []
    for factor in (2, 3):
        (folder / "metrics.py").write_text(f"def half(y, p):\n    return abs(y - p).mean() / {factor}\n")
        experiment = workbench.Experiment.from_folder(folder)
        keys.append(experiment.metric_ref().code)
    assert len(set(keys)) == 2


def test_a_sample_that_asks_for_unknown_rows_is_told_before_anything_is_searched(tmp_path):
    text = YAML.replace("test: test.csv,", "test: test.csv, sample_submission: sample.csv,")
    folder = make_experiment(tmp_path / "small", text)
    (folder / "sample.csv").write_text("id,y\n1,0.5\n")
    with pytest.raises(DataError, match="asks for 1 ids that the test table does not have"):
        workbench.run(str(folder))
    assert trials(folder) == []


def test_nothing_complete_is_nothing_to_deliver(tmp_path):
    folder = make_experiment(tmp_path / "small", YAML.replace("[dummy, lightgbm]", "['factories:late']"))
    (folder / "factories.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "class Late(LogisticRegression):\n"
        "    def fit(self, X, y, sample_weight=None):\n"
        "        raise ValueError('too late')\n"
        "def late(hp):\n    hp.Int('x', 0, 9)\n    return Late()\n"
    )
    with pytest.raises((NothingToDeliver, FactoryError), match=r"no trial is complete|too late"):
        workbench.run(str(folder))
