import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from workbench.execution import local
from workbench.execution.contract import Executor, ExecutorOptions
from workbench.execution.inline import InlineExecutor
from workbench.execution.local import LocalExecutor
from workbench.testing import ExecutorContract
from workbench.types import Reported


class TestInlineExecutor(ExecutorContract):
    def make(self, options: ExecutorOptions) -> Executor:
        return InlineExecutor(options)


class TestLocalExecutor(ExecutorContract):
    def make(self, options: ExecutorOptions) -> Executor:
        return LocalExecutor(options)

    @pytest.fixture
    def executor(self, tmp_path):
        made = LocalExecutor(ExecutorOptions(runner=self.runner, logs=tmp_path))
        yield made
        made.close()

    def until(self, executor, event, seconds=30.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for found in executor.events(timeout=0.1):
                if found.event == event:
                    return found
        raise AssertionError(f"no '{event}' within {seconds} s")

    def test_a_job_that_is_told_to_stop_stops(self, executor, tmp_path):
        executor.submit(self._job(tmp_path, "1", {"epochs": 10_000, "sleep": 0.01}))
        self.until(executor, "reported")
        executor.stop("1")
        assert self.until(executor, "stopped").job_id == "1"

    def test_a_job_that_does_not_stop_is_killed(self, executor, tmp_path, monkeypatch):
        monkeypatch.setattr(local, "GRACE_SECONDS", 0.2)
        executor.submit(self._job(tmp_path, "1", {"epochs": 2, "sleep": 600.0}))
        self.until(executor, "reported")
        time.sleep(0.3)  # until the runner sleeps: a stop that comes before would be heeded
        executor.stop("1")
        lost = self.until(executor, "lost")
        assert "signal 9" in lost.message
        assert self._run(executor, self._job(tmp_path, "2", {"epochs": 1}))[-1].event == "finished"

    def test_a_killed_worker_is_noticed_and_replaced(self, executor, tmp_path):
        executor.submit(self._job(tmp_path, "1", {"epochs": 10_000, "sleep": 0.01}))
        self.until(executor, "reported")
        os.kill(executor._worker.pid, signal.SIGKILL)
        assert self.until(executor, "lost", seconds=5.0).job_id == "1"
        assert self._run(executor, self._job(tmp_path, "2", {"epochs": 1}))[-1].event == "finished"

    def test_a_worker_killed_between_jobs_is_replaced(self, executor, tmp_path):
        self._run(executor, self._job(tmp_path, "1", {}))
        os.kill(executor._worker.pid, signal.SIGKILL)
        time.sleep(0.2)
        assert self._run(executor, self._job(tmp_path, "2", {}))[-1].event == "finished"

    def test_prints_do_not_disturb_the_protocol(self, tmp_path):
        (tmp_path / "loud.py").write_text(
            "import os\nfrom workbench.testing import echo\n"
            "def run(job, report):\n    print('hello'); os.write(1, b'raw\\n'); return echo(job, report)\n"
        )
        executor = LocalExecutor(ExecutorOptions(runner="loud:run", runner_root=tmp_path, logs=tmp_path))
        try:
            assert self._run(executor, self._job(tmp_path, "1", {}))[-1].event == "finished"
        finally:
            executor.close()
        assert "hello" in (tmp_path / "worker.log").read_text()

    def test_no_worker_outlives_its_driver(self, tmp_path):
        program = (
            "import sys, time\nfrom pathlib import Path\n"
            "from workbench.execution.contract import ExecutorOptions\n"
            "from workbench.execution.local import LocalExecutor\n"
            "from tests.execution.test_executors import TestLocalExecutor as T\n"
            "e = LocalExecutor(ExecutorOptions(runner=T.runner, logs=Path(sys.argv[1])))\n"
            "e.submit(T()._job(Path(sys.argv[1]), '1', {'epochs': 2, 'sleep': 600.0}))\n"
            "while not any(isinstance(x.epoch, int) for x in e.events(0.1)): pass\n"
            "print(e._worker.pid, flush=True)\ntime.sleep(600)\n"
        )
        driver = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        worker = int(driver.stdout.readline())
        assert psutil.pid_exists(worker)
        driver.kill()
        driver.wait()
        driver.stdout.close()
        end = time.monotonic() + 5.0
        while psutil.pid_exists(worker) and time.monotonic() < end:
            time.sleep(0.05)
        assert not psutil.pid_exists(worker)


def test_the_inline_executor_stops_from_inside(tmp_path):
    executor = InlineExecutor(ExecutorOptions(runner=ExecutorContract.runner, logs=tmp_path))
    executor.stop("1")
    executor.submit(TestInlineExecutor()._job(tmp_path, "1", {"epochs": 5}))
    *reports, last = executor.events(0.0)
    assert [type(report) for report in reports] == [Reported]
    assert last.event == "stopped"
