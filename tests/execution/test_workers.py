"""Workers that die, hang, leak and leave children behind: real processes, a fault a test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench.execution import memory_watch, seat
from workbench.execution.contract import ExecutorOptions
from workbench.execution.local import LocalExecutor
from workbench.types import Began, FamilyRef, Job, MetricRef, Reported


class Bench:
    """An executor on a runner of faults, and everything that it has said."""

    def __init__(self, folder, **options):
        options = {"workers": 2, "grace_s": 0.2, **options}
        runner = {"runner": "fault_runner:run", "runner_root": Path(__file__).parent}
        self.folder = folder
        self.executor = LocalExecutor(ExecutorOptions(logs=folder / "logs", **runner, **options))
        self.pids = {}
        self.ends = {}

    def submit(self, job_id, **values):
        family, metric = FamilyRef(name="f", factory="f:f", code=""), MetricRef(name="rmse")
        paths = {"dataset": self.folder, "plan": self.folder}
        self.executor.submit(Job(kind="fit", job_id=job_id, family=family, metric=metric, values=values, **paths))

    def listen(self, until, seconds=20.0):
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"not within {seconds} s; ended so far: {self.ends}"
            for event in self.executor.events(0.05):
                if isinstance(event, Began):
                    continue
                if isinstance(event, Reported):
                    self.pids[event.job_id] = int(event.value)
                else:
                    assert event.job_id not in self.ends, "a second end"
                    self.ends[event.job_id] = event

    def began(self, *job_ids):
        self.listen(lambda: set(job_ids) <= set(self.pids))

    def end(self, job_id):
        self.listen(lambda: job_id in self.ends)
        return self.ends[job_id]

    def run(self, job_id, **values):
        self.submit(job_id, **values)
        return self.end(job_id)


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**options):
        made.append(Bench(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.executor.close()


def gone(*pids, seconds=5.0):
    """Say whether the processes end; a zombie that nobody here can reap has ended."""
    end = time.monotonic() + seconds
    left = set(pids)
    while left and time.monotonic() < end:
        left = {pid for pid in left if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}
        time.sleep(0.02)
    return not left


def test_a_job_goes_to_a_warm_worker_before_another_is_started(bench):
    workers = bench(workers=3)
    for number in range(3):
        workers.run(str(number))
    assert len(set(workers.pids.values())) == 1
    workers.submit("a", do="sleep")
    workers.submit("b", do="sleep")
    workers.began("a", "b")
    assert workers.pids["a"] != workers.pids["b"]
    assert workers.executor.capacity == 3
    workers.submit("c", do="sleep")
    with pytest.raises(RuntimeError, match="3 jobs are under way"):
        workers.submit("d")


def test_workers_die_while_others_go_on(bench):
    workers = bench()
    workers.submit("long", do="sleep", seconds=1.5)
    for number in range(2):
        lost = workers.run(f"killed {number}", do="die")
        assert lost.event == "lost"
        assert "signal 9" in lost.message
        assert "worker-1.log" in lost.message
    assert "exit code 3" in workers.run("left", do="leave").message
    assert workers.run("after").event == "finished"
    assert workers.end("long").event == "finished"


def test_a_death_is_told_within_a_second_though_a_fork_holds_the_pipes(bench):
    workers = bench(workers=1)
    workers.submit("1", do="fork_and_die")
    workers.began("1")
    began = time.monotonic()
    assert workers.end("1").event == "lost"
    assert time.monotonic() - began < 1.0


def test_a_worker_killed_between_jobs_is_replaced(bench):
    workers = bench(workers=1)
    workers.run("1")
    os.kill(workers.pids["1"], signal.SIGKILL)
    assert gone(workers.pids["1"])
    assert workers.run("2").event == "finished"


@pytest.mark.parametrize(("what", "by"), [("sleep", 15), ("native", 15), ("deaf", 9)])
def test_a_job_that_does_not_stop_is_ended(bench, monkeypatch, what, by):
    monkeypatch.setattr(seat, "TERM_SECONDS", 0.3)
    workers = bench(workers=1)
    workers.submit("1", do=what)
    workers.began("1")
    time.sleep(0.2)  # until it is at it
    workers.executor.stop("1")
    assert f"signal {by}) after it had not ended within 0.2 s" in workers.end("1").message
    assert workers.run("2").event == "finished"


def test_nothing_outlives_the_executor(bench, tmp_path):
    workers = bench()
    for name in ("a", "b"):
        workers.submit(name, do="children")
    files = [tmp_path / f"children-{name}" for name in ("a", "b")]
    workers.listen(lambda: all(file.exists() for file in files))
    started = [int(pid) for file in files for pid in file.read_text().split()]
    assert all(psutil.pid_exists(pid) for pid in started)
    workers.executor.close()
    assert gone(*started, *workers.pids.values())


DRIVER = """
import sys, time
from pathlib import Path
from tests.execution.test_workers import Bench
bench = Bench(Path(sys.argv[1]), workers=3)
bench.submit("a", do="children")
bench.submit("b", do="native")
bench.submit("c", do="sleep")
bench.began("a", "b", "c")
bench.listen((bench.folder / "children-a").exists)
print(*bench.pids.values(), flush=True)
time.sleep(600)
"""


def test_no_worker_outlives_its_driver(tmp_path, repository):
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository) as driver:
        workers = [int(pid) for pid in driver.stdout.readline().split()]
        time.sleep(0.1)  # until the second one is in native code
        driver.kill()
    assert len(workers) == 3
    child, detached = map(int, (tmp_path / "children-a").read_text().split())
    os.kill(detached, signal.SIGKILL)  # who makes a session of its own asks to be left alone
    assert gone(*workers, child)


def test_a_job_that_holds_too_much_fails_with_both_numbers(bench):
    workers = bench(worker_memory=300)
    workers.submit("small", do="sleep", seconds=1.0)
    failed = workers.run("big", do="allocate", mb=500, seconds=600)
    assert failed.event == "failed"
    assert failed.failure.code == "oom"
    assert "its limit is 300 MB" in failed.failure.message
    assert "training.worker_memory" in failed.failure.message
    assert workers.end("small").event == "finished"
    assert workers.run("after").event == "finished"


def test_a_kill_while_memory_is_short_is_the_kernels(bench, monkeypatch):
    monkeypatch.setattr("workbench.execution.machine.nearly_full", lambda: True)
    workers = bench(workers=1)
    workers.submit("1", do="sleep")
    workers.began("1")
    workers.listen(lambda: workers.executor._seats[0]._crowded)
    os.kill(workers.pids["1"], signal.SIGKILL)
    failed = workers.end("1")
    assert failed.event == "failed"
    assert failed.failure.code == "oom"


def test_a_worker_that_leaks_is_replaced_between_jobs(bench, monkeypatch):
    monkeypatch.setattr(memory_watch, "GROWTH_MB", 100.0)
    workers = bench(workers=1)
    for number in range(4):
        workers.run(str(number), do="leak", mb=60)
    first, second, third, fourth = workers.pids.values()
    assert first == second == third  # 60 MB at first, 180 MB after the third
    assert fourth != first
    assert gone(first)


def test_a_job_whose_runner_does_not_measure_has_the_peak_that_was_seen(bench):
    workers = bench(workers=1)
    assert workers.run("1", do="allocate", mb=200, seconds=0.6).result.peak_mb > 200
    assert 1 < workers.run("2", do="sleep", seconds=0.6).result.peak_mb < 200
