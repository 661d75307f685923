"""The cache of compiled programs: kinds of machines, what is kept, and real workers that share it, damaged or not."""

import os
import shutil
import time
from pathlib import Path

import pytest
from filelock import FileLock

from workbench.execution import programs
from workbench.execution.contract import ExecutorOptions
from workbench.execution.local import LocalExecutor
from workbench.execution.programs import features, kind, tend, variables
from workbench.types import FamilyRef, Finished, Job, MetricRef

X86 = "processor\t: {n}\nmodel name\t: Some CPU\ncpu MHz\t\t: {mhz}\nmicrocode\t: {mhz}\nflags\t\t: {flags}\n\n"
ARM = "processor\t: {n}\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"


def test_a_machine_is_told_by_its_instructions_alone():
    two = X86.format(n=0, mhz=2000, flags="sse avx") + X86.format(n=1, mhz=3000, flags="avx sse")
    assert features(two) == features(X86.format(n=5, mhz=1, flags="sse avx")) != ""
    assert features(two) != features(X86.format(n=0, mhz=2000, flags="sse avx avx512f"))
    big_little = features(ARM.format(n=0, part="0xd0b") + ARM.format(n=1, part="0xd05"))
    assert len(big_little.splitlines()) == 2
    assert features("Hardware: unknown\n") == ""
    assert kind(1) != kind(4)
    assert kind(4) == kind(4)


def test_what_the_user_has_set_stays(tmp_path):
    ours = variables(tmp_path, 2, {})
    assert ours["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / kind(2))
    assert variables(tmp_path, 2, {"JAX_COMPILATION_CACHE_DIR": "/mine"}) == {}
    bounded = variables(tmp_path, 2, {"JAX_COMPILATION_CACHE_MAX_SIZE": "7"})
    assert ours.keys() - bounded.keys() == {"JAX_COMPILATION_CACHE_MAX_SIZE"}


def program(folder, key, *, used=None, size=10):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key}-cache").write_bytes(b"x" * size)
    if used is not None:
        (folder / f"{key}-atime").write_bytes(b"12345678")
        os.utime(folder / f"{key}-atime", (used, used))


def kept(folder):
    return {path.name.removesuffix("-cache") for path in folder.glob("*-cache")}


def test_torn_old_and_unused_programs_go(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "KEPT", 2)
    own, other, late = tmp_path / kind(1), tmp_path / "other", tmp_path / "late"
    for key, used in (("old", 1000.0), ("new", 3000.0), ("newer", 4000.0), ("torn", None)):
        program(own, key, used=used)
    program(own, "empty", used=5000.0, size=0)
    for folder in (other, late):
        program(folder, "a", used=1.0)
    os.utime(other, (1.0, time.time() - 31 * 86_400))
    with FileLock(own / programs.LOCK):
        monkeypatch.setattr(programs, "LOCK_SECONDS", 0.01)
        tend(tmp_path, 1)
    assert kept(own) == {"old", "new", "newer", "torn", "empty"}  # somebody else is at it
    tend(tmp_path, 1)
    assert kept(own) == {"new", "newer"}
    assert {path.name for path in own.iterdir()} - {programs.LOCK} == {
        f"{key}-{end}" for key in ("new", "newer") for end in ("cache", "atime")
    }
    assert (other.exists(), late.exists()) == (False, True)


def test_a_folder_that_cannot_be_used_is_left(tmp_path):
    (tmp_path / "file").touch()
    tend(tmp_path / "file", 1)


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Return a function that has new workers run jobs at the same time, and returns the hits of each."""
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")

    def run(folder, *, jobs=1, cores=1, between=lambda: None):
        monkeypatch.setattr("workbench.execution.machine.usable_cores", lambda: cores * jobs)
        runner = {"runner": "programs_runner:run", "runner_root": Path(__file__).parent}
        executor = LocalExecutor(ExecutorOptions(logs=tmp_path / "logs", workers=jobs, programs=folder, **runner))
        ends = []
        try:
            for name in range(jobs):
                executor.submit(_job(tmp_path, str(name)))
            while len(ends) < jobs:
                ends += [event for event in executor.events(0.1) if event.event not in ("began", "reported")]
            between()
            executor.submit(_job(tmp_path, "last"))
            while len(ends) <= jobs:
                ends += [event for event in executor.events(0.1) if event.event not in ("began", "reported")]
        finally:
            executor.close()
        assert all(isinstance(end, Finished) for end in ends), ends
        assert {end.result.scores[0] for end in ends} == {cores}
        return [end.result.score for end in ends]

    return run


def _job(folder, job_id):
    family, metric = FamilyRef(name="f", factory="f:f", code=""), MetricRef(name="rmse")
    return Job(kind="fit", job_id=job_id, family=family, metric=metric, dataset=folder, plan=folder)


def test_workers_share_programs_and_live_with_any_damage(tmp_path, fit):
    store = tmp_path / "programs"
    (cold, again) = fit(store)
    assert cold < again
    assert set(fit(store, jobs=2)[:2]) == {again}

    entries = sorted((store / kind(1)).glob("*lambda*-cache"))
    entries[0].write_bytes(b"rubbish")
    entries[1].with_name(entries[1].name.replace("-cache", "-atime")).unlink()  # killed while it wrote
    (hits, last) = fit(store, between=lambda: shutil.rmtree(store))
    assert hits == again - 2
    assert last == 0


def test_workers_train_where_nothing_can_be_kept(tmp_path, fit):
    (tmp_path / "file").touch()
    assert fit(tmp_path / "file", cores=2) == [0, 0]
