from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking import story
from workbench.config.models import TrackingConfig
from workbench.store.event_log import Report
from workbench.tracking.curves import POINTS, curves, thin
from workbench.tracking.naming import flat, metric_name, param_names
from workbench.tracking.provenance import provenance
from workbench.tracking.trial_data import finished_tags
from workbench.tracking.uri import tracking_uri


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=500, unique=True).map(sorted))
def test_thinning_keeps_few_epochs_and_both_ends(epochs: list[int]) -> None:
    kept = thin(epochs)
    assert len(kept) == min(len(epochs), POINTS)
    assert (kept[0], kept[-1]) == (epochs[0], epochs[-1])
    assert kept == sorted(set(kept) & set(epochs))


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=120), min_size=1, max_size=5))
def test_the_mean_lies_between_the_splits_and_reaches_the_last_epoch(splits: list[list[float]]) -> None:
    reports = [
        Report(split, epoch, value, None)
        for split, values in enumerate(splits)
        for epoch, value in enumerate(values, 1)
    ]
    named = curves(reports, "val", "loss")
    assert set(named) == {"val/mean", *(f"val/s{split}" for split in range(len(splits)))}
    mean = named["val/mean"]
    assert mean[-1][0] == max(map(len, splits))
    for epoch, value in mean:
        held = [values[min(epoch, len(values)) - 1] for values in splits]
        assert value == pytest.approx(sum(held) / len(held), abs=1e-12)


def test_a_value_that_is_not_finite_is_no_point() -> None:
    reports = [Report(0, 1, 1.0, float("nan")), Report(0, 2, float("inf"), None)]
    assert curves(reports, "val", "loss") == {"val/mean": [(1, 1.0)], "val/s0": [(1, 1.0)]}


@given(st.text())
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_\-. :/]*", metric_name(name))


def test_names_that_mean_the_same_are_shared_and_none_is_lost() -> None:
    values = {"learning_rate": 1, "lr": 2, "max_depth": 3, "dropout": 4}
    assert param_names("mlp", values) == {"dropout": 4, "lr": 2, "mlp.learning_rate": 1, "mlp.max_depth": 3}


def test_a_nested_configuration_becomes_dotted_keys() -> None:
    nested = {"a": {"b": 1, "c": None, "d": {"e": "x"}}, "f": [1, "y"]}
    assert flat(nested) == {"a.b": "1", "a.d.e": "x", "f": '[1, "y"]'}


def test_the_configured_uri_wins_then_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(TrackingConfig(), tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_uri(TrackingConfig(), tmp_path) == "http://127.0.0.1:1"
    assert tracking_uri(TrackingConfig(uri="sqlite:///x.db"), tmp_path) == "sqlite:///x.db"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_provenance_knows_the_commit_and_what_was_changed_since(tmp_path: Path) -> None:
    assert "git_commit" not in provenance(tmp_path)
    (tmp_path / "factories.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    clean = provenance(tmp_path)
    assert (clean["git_commit"], clean["git_dirty"]) == (git(tmp_path, "rev-parse", "HEAD"), "false")
    (tmp_path / "notes.txt").write_text("not code")
    assert provenance(tmp_path)["git_dirty"] == "false"
    (tmp_path / "features.py").write_text("b = 1\n")
    assert provenance(tmp_path)["git_dirty"] == "true"
    (tmp_path / "features.py").unlink()
    (tmp_path / "factories.py").write_text("a = 2\n")
    assert provenance(tmp_path)["git_dirty"] == "true"
    assert {"python", "keras", "mlflow"} <= set(clean)


def test_provenance_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git_commit" not in provenance(tmp_path)


def test_why_splits_trained_one_after_the_other_is_a_tag() -> None:
    slow = story.trial_finished(1, 1, None, result=story.result(0.8, unfused="train_step branches on values"))
    assert finished_tags(slow)["wb.unfused"] == "train_step branches on values"
    assert not {"wb.fused", "wb.unfused"} & set(finished_tags(story.trial_finished(1, 1, 0.8)))  # no Keras model
