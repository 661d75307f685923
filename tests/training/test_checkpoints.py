"""A fit that was stopped goes on, and gives what an uninterrupted one gives; damaged checkpoints are set aside."""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import TrialStopped
from workbench.store.vault import Vault
from workbench.training import epoch_state, finished_split
from workbench.training.runner import run
from workbench.types import Job, Reported, TrialResult

FACTORY = """
import keras

def build(hp):
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.2), keras.layers.BatchNormalization()]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model
"""


def stop_at(job: Job, split: int, epoch: int) -> list[Reported]:
    """Run a job until it has reported an epoch; return what it reported."""
    reports: list[Reported] = []

    def report(reported: Reported) -> bool:
        reports.append(reported)
        return (reported.split, reported.epoch) == (split, epoch)

    with pytest.raises(TrialStopped):
        run(job, report)
    return reports


def finish(job: Job) -> tuple[TrialResult, list[tuple[int, int]]]:
    reports: list[tuple[int, int]] = []
    result = run(job, lambda reported: bool(reports.append((reported.split, reported.epoch))))
    assert isinstance(result, TrialResult)
    return result, reports


def folder(job: Job) -> Path:
    return job.vault / "checkpoints" / job.fit_key


def weights(job: Job) -> list[np.ndarray]:
    """Return all weights of the stored splits."""
    found = []
    for split in range(3):
        with np.load(Vault(job.vault).folder(job.fit_key) / f"split{split}" / "weights.npz") as arrays:
            found += [arrays[name] for name in arrays.files]
    return found


def same(left: TrialResult, right: TrialResult) -> bool:
    names = ("scores", "best_epochs", "epochs", "fit_key", "values", "weights", "truncated")
    return all(getattr(left, name) == getattr(right, name) for name in names)


@pytest.mark.keras
@pytest.mark.parametrize(("fuse", "split"), [("off", 1), ("map", 0)])
def test_a_stopped_network_goes_on_bit_for_bit(make_job, own_factory, tmp_path, caplog, fuse: str, split: int) -> None:
    job = make_job("regression", own_factory(FACTORY), checkpoint_s=0.0, epochs=5)
    job = job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": fuse})})
    other = job.model_copy(update={"vault": tmp_path / "other"})
    whole, epochs = finish(other)
    stop_at(job, 1, 2)
    told = [(told.split, told.epoch) for told in stop_at(job, 1, 4)]
    assert epochs[: epochs.index((1, 4)) + 1] == told[: epochs.index((1, 4)) + 1]
    assert sorted(path.name for path in folder(job).glob("*.npz")) == [f"epoch{split}.npz", f"older-epoch{split}.npz"]
    newest = folder(job) / f"epoch{split}.npz"
    newest.write_bytes(newest.read_bytes()[:-900])
    result, reports = finish(job)
    assert same(result, whole)
    assert reports == epochs, "who judges or draws its curves sees the whole of it"
    for left, right in zip(weights(job), weights(other), strict=True):
        np.testing.assert_array_equal(left, right)
    assert not folder(job).exists()
    assert len(list((job.vault / "damaged").glob("*"))) == caplog.text.count("cannot be used") == 1


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"PK\x03\x04" + bytes(200)])
def test_garbage_is_set_aside_and_no_state(tmp_path, garbage: bytes) -> None:
    file = tmp_path / "fit" / "epoch0.npz"
    for at in (1, 2):
        epoch_state.write_state(file, {"x": np.arange(3)}, {"at": at})
    for path in list(file.parent.iterdir()):
        path.write_bytes(garbage)
    assert list(epoch_state.read_states(file, tmp_path / "damaged")) == []
    assert len(list((tmp_path / "damaged").iterdir())) == 2


@pytest.mark.parametrize("damaged", [False, True])
def test_finished_splits_are_not_trained_again(make_job, tmp_path, damaged: bool) -> None:
    job = make_job("binary", "lightgbm", checkpoint_s=3600.0)
    whole, epochs = finish(job.model_copy(update={"vault": tmp_path / "other"}))
    stop_at(job, 2, 1)
    if damaged:
        file = folder(job) / "split0" / "bundle" / "model.txt"
        file.write_bytes(b"garbage" + file.read_bytes())
    result, reports = finish(job)
    assert same(result, whole)
    assert reports == epochs
    for left, right in zip(Vault(job.vault).oof(job.fit_key), Vault(tmp_path / "other").oof(job.fit_key), strict=True):
        np.testing.assert_array_equal(left, right)
    assert (Vault(job.vault).folder(job.fit_key) / "split1" / "model.txt").is_file()
    assert result.fit_s > 0


def test_a_checkpoint_that_cannot_be_written_ends_nothing(make_job, monkeypatch, caplog) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(finished_split, "seal", full)
    with caplog.at_level(logging.WARNING):
        result, _ = finish(make_job("binary", "dummy", checkpoint_s=0.0))
    assert len(result.scores) == 3
    assert "No space left" in caplog.text


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch) -> None:
    file, damaged = tmp_path / "fit" / "epoch0.npz", tmp_path / "damaged"
    epoch_state.write_state(file, {"x": np.arange(3)}, {"at": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        epoch_state.write_state(file, {"x": np.arange(4)}, {"at": 2})
    assert [about for _, about in epoch_state.read_states(file, damaged)] == [{"at": 1}]
    assert [path.name for path in file.parent.iterdir()] == ["epoch0.npz"]


def test_what_nobody_went_on_with_for_a_week_is_removed(make_job) -> None:
    job = make_job("binary", "dummy", checkpoint_s=60.0)
    old, young = (job.vault / "checkpoints" / name for name in ("old", "young"))
    for path in (old, young):
        path.mkdir(parents=True)
    os.utime(old, (time.time() - 8 * 24 * 3600,) * 2)
    finish(job)
    assert [path.name for path in old.parent.iterdir()] == ["young"]
