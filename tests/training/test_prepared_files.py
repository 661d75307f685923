"""Prepared splits on disk: equal to those in memory, shared by workers, mended when damaged, never in the way."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from workbench.training import material as materials
from workbench.training import prepared_files, prepared_room
from workbench.training.material import PreparedSplit, open_material
from workbench.training.runner import run
from workbench.types import Job, TrialResult


@pytest.fixture(autouse=True)
def _small_tables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "LEAST_BYTES", 0)
    materials.forget()


def prepared(job: Job, index: int = 0) -> PreparedSplit:
    """Return a split as a worker has it that has just begun."""
    materials.forget()
    return open_material(job).prepared(index)


def in_memory(job: Job, monkeypatch: pytest.MonkeyPatch, index: int = 0) -> PreparedSplit:
    with monkeypatch.context() as patch:
        patch.setattr(materials, "LEAST_BYTES", 2**60)
        return prepared(job, index)


def folder(job: Job) -> Path:
    (found,) = job.dataset.parent.glob("prepared-*")
    return found


def same(left: PreparedSplit, right: PreparedSplit) -> None:
    assert left.preparation.state() == right.preparation.state()
    assert left.test is not None
    assert right.test is not None
    for one, other in [(left.table, right.table), (left.test, right.test)]:
        for a, b in [(one.numeric, other.numeric), (one.categorical, other.categorical)]:
            assert a.dtype == b.dtype
            assert a.flags.c_contiguous == b.flags.c_contiguous  # sums in another order would differ in their last bits
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("preparation", ["scaled", "native", "one_hot", "ordinal", "quantile", "target"])
def test_files_hold_what_memory_would(make_job, monkeypatch: pytest.MonkeyPatch, preparation: str) -> None:
    job = make_job("multiclass", "linear")
    job = job.model_copy(update={"family": job.family.model_copy(update={"preparation": preparation})})
    made = in_memory(job, monkeypatch)
    assert not made.mapped
    first, again = prepared(job), prepared(job)
    assert first.mapped
    assert again.mapped
    same(first, made)
    same(again, made)
    for split in (made, again):
        with pytest.raises(ValueError, match="read-only"):
            split.table.numeric[0, 0] = 1.0


@pytest.mark.parametrize("family", ["lightgbm", "linear"])
def test_results_are_the_same_bit_for_bit(make_job, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    job = make_job("binary", family, splits=2)
    settings = job.settings.model_copy(update={"rounds": 5})
    found = []
    for least in (0, 2**60):
        monkeypatch.setattr(materials, "LEAST_BYTES", least)
        materials.forget()
        vault = job.vault / str(least)
        own = job.model_copy(update={"settings": settings, "vault": vault})
        result = run(own, lambda _: False)
        assert isinstance(result, TrialResult)
        assert open_material(own).prepared(0).mapped == (least == 0)
        files = sorted(path for path in vault.rglob("*.np[yz]") if path.name != "forest.npz")
        states = [path.read_text() for path in sorted(vault.rglob("preparation.json"))]
        found.append((result.scores, states, [_arrays(path) for path in files]))
    assert found[0] == found[1]


def _arrays(path: Path) -> list[bytes]:
    loaded = np.load(path)
    return [loaded.tobytes()] if path.suffix == ".npy" else [loaded[name].tobytes() for name in loaded.files]


def test_a_feature_set_of_rows_is_mapped_and_one_of_folds_is_not(make_job, tmp_path: Path) -> None:
    from workbench.types import FeaturesRef

    (tmp_path / "features.py").write_text(
        "from workbench import feature_set\n"
        "@feature_set\ndef rows(frame):\n    frame['c'] = frame['a'] * 2\n    return frame\n"
        "@feature_set(after=rows)\nclass folds:\n"
        "    def fit_transform(self, frame, y):\n        return frame\n"
        "    def transform(self, frame):\n        return frame\n"
    )
    job = make_job("regression", "lightgbm")

    def with_set(name: str) -> PreparedSplit:
        from workbench.models.identity import code_identity

        code = code_identity(f"features:{name}", tmp_path)
        ref = FeaturesRef(name=name, reference=f"features:{name}", root=tmp_path, code=code)
        return prepared(job.model_copy(update={"family": job.family.model_copy(update={"features": ref})}))

    assert with_set("rows").mapped
    again = with_set("rows")
    assert (again.mapped, again.transformers, again.table.numeric.shape) == (True, (None,), (150, 3))
    assert not with_set("folds").mapped


def test_what_decides_a_split_has_files_of_its_own(make_job) -> None:
    job = make_job("binary", "linear")
    inner = job.settings.model_copy(update={"stopping": "inner"})
    ordinal = job.family.model_copy(update={"preparation": "ordinal"})
    variants = [{}, {"seed": 1}, {"settings": inner}, {"family": ordinal}]
    assert all(prepared(job.model_copy(update=changes)).mapped for changes in variants)
    assert len(list(job.dataset.parent.glob("prepared-*"))) == len(variants)
    assert prepared(job.model_copy(update={"values": {"C": 1.0}, "job_id": "other"})).mapped
    assert len(list(job.dataset.parent.glob("prepared-*"))) == len(variants)


def test_a_preparation_of_a_plug_in_stays_in_memory(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench import registry

    job = make_job("binary", "lightgbm")
    job = job.model_copy(update={"family": job.family.model_copy(update={"preparation": "mine"})})
    known = registry.references
    mine = {"mine": registry.BUILT_INS["preparations"]["native"]}
    monkeypatch.setattr(registry, "references", lambda group: {**known(group), **mine})
    assert not prepared(job).mapped


def test_damaged_files_are_made_anew(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("binary", "lightgbm")
    sound = in_memory(job, monkeypatch)
    prepared(job)
    split = folder(job) / "split0"
    whole = {path.name: path.read_bytes() for path in split.iterdir()}
    numbers = whole["numeric.npy"]

    def harmed(**changes: bytes | None) -> None:
        materials.forget()  # who truncates a mapped file ends the process that looks at it
        for stem, content in changes.items():
            file = next(path for path in split.iterdir() if path.stem == stem)
            file.unlink()
            if content is not None:
                file.write_bytes(content)
        again = prepared(job)
        assert again.mapped
        same(again, sound)
        assert {path.name: path.read_bytes() for path in split.iterdir()} == whole

    harmed(numeric=numbers[:-9])
    harmed(numeric=numbers[:-9] + bytes(9))
    harmed(test_numeric=None)
    harmed(sums=None)
    harmed(**{name.partition(".")[0]: b"" for name in whole})
    harmed(sums=b"{}", numeric=whole["test_numeric.npy"])
    harmed(sums=b"{}", preparation=b"[]")
    assert not list(split.parent.glob(".*"))


def test_one_prepares_and_the_others_wait(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("binary", "lightgbm")
    made: list[int] = []
    whole = materials.Material._prepare

    def counted(self: materials.Material, index: int) -> PreparedSplit:
        made.append(index)
        time.sleep(0.2)
        return whole(self, index)

    monkeypatch.setattr(materials.Material, "_prepare", counted)
    workers = [open_material(job) for _ in range(4)]  # threads with files of their own: locks are of open files

    def get(material: materials.Material) -> PreparedSplit:
        files = material._files
        assert files is not None
        return files.get(1, lambda: material._prepare(1))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(get, workers))
    assert made == [1]
    assert all(split.mapped for split in found)


def test_a_full_disk_fails_no_trial(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("binary", "lightgbm")
    expected = in_memory(job, monkeypatch)

    def full(file: Path, *_: object, **__: object) -> None:
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(prepared_files.np, "save", full)
        found = prepared(job)
    assert not found.mapped
    same(found, expected)
    assert [path.name for path in folder(job).iterdir()] == ["split0.lock"]
    assert prepared(job).mapped


def test_a_store_that_cannot_be_written_fails_no_trial(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("binary", "lightgbm")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    assert not prepared(job).mapped


def test_unused_folders_give_way_and_used_ones_stay(make_job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("binary", "lightgbm")
    prepared(job)
    old, size = folder(job), prepared_room._bytes(folder(job))
    monkeypatch.setattr(prepared_room, "MOST_BYTES", size + 1)
    other = job.model_copy(update={"seed": 1})
    assert not prepared(other).mapped  # the first one is in use
    held = prepared(job)
    os.utime(old, (1.0, 1.0))
    assert open_material(other).prepared(0).mapped
    assert folder(job) != old
    assert np.isfinite(held.table.numeric[:, 1]).all()  # who has mapped a file has it until the end
    monkeypatch.setattr(prepared_room, "MOST_BYTES", 1)
    os.utime(folder(job), (1.0, 1.0))
    assert not prepared(job).mapped
    assert folder(job) != old  # nothing gives way for what would not fit in any case


def test_who_maps_a_split_reads_no_table(make_job) -> None:
    job = make_job("binary", "lightgbm")
    prepared(job)
    materials.forget()
    material = open_material(job)
    tables = {"features", "others", "test", "test_others"}
    assert material.prepared(0).mapped
    assert not tables & set(vars(material.dataset))
    assert material.dataset.test_rows == 40
    assert material.dataset.test is not None
    assert tables & set(vars(material.dataset)) == {"test"}
