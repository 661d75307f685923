import re
import time

import pytest

from workbench.execution.contract import Executor, ExecutorOptions
from workbench.execution.inline import InlineExecutor
from workbench.execution.local import LocalExecutor
from workbench.execution.protocol import worth_sending
from workbench.testing import ExecutorContract
from workbench.types import Reported


class TestInlineExecutor(ExecutorContract):
    def make(self, options: ExecutorOptions) -> Executor:
        return InlineExecutor(options)


class TestLocalExecutor(ExecutorContract):
    def make(self, options: ExecutorOptions) -> Executor:
        return LocalExecutor(options)

    def until(self, executor, event, seconds=30.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for found in executor.events(timeout=0.1):
                if found.event == event:
                    return found
        raise AssertionError(f"no '{event}' within {seconds} s")

    def test_a_job_that_is_told_to_stop_stops(self, tmp_path):
        executor = self.make(ExecutorOptions(runner=self.runner, logs=tmp_path, workers=1))
        try:
            executor.submit(self._job(tmp_path, "1", {"epochs": 10_000, "sleep": 0.01}))
            self.until(executor, "reported")
            executor.stop("1")
            assert self.until(executor, "stopped").job_id == "1"
            assert not executor.busy
        finally:
            executor.close()

    def test_prints_do_not_disturb_the_protocol(self, tmp_path):
        (tmp_path / "loud.py").write_text(
            "import logging, os\nfrom workbench.testing import echo\n"
            "def run(job, report):\n    print('hello'); os.write(1, b'raw\\n')\n"
            "    for name in ('workbench.loud', 'theirs'): logging.getLogger(name).info('from %s', name)\n"
            "    return echo(job, report)\n"
        )
        executor = LocalExecutor(ExecutorOptions(runner="loud:run", runner_root=tmp_path, logs=tmp_path))
        try:
            assert self._run(executor, self._job(tmp_path, "1", {}))[-1].event == "finished"
        finally:
            executor.close()
        log = (tmp_path / "worker-0.log").read_text()
        assert "hello" in log
        assert re.search(r"^2\d{3}-\S+ \S+ INFO from workbench.loud$", log, re.MULTILINE)
        assert "theirs" not in log


@pytest.mark.parametrize(("last", "sent"), [(100, 100), (1000, 190), (10_000, 280)])
def test_few_of_many_rounds_are_told(last, sent):
    assert sum(worth_sending(epoch) for epoch in range(1, last + 1)) == sent


def test_the_inline_executor_stops_from_inside(tmp_path):
    executor = InlineExecutor(ExecutorOptions(runner=ExecutorContract.runner, logs=tmp_path))
    executor.stop("1")
    executor.submit(TestInlineExecutor()._job(tmp_path, "1", {"epochs": 5}))
    *reports, last = executor.events(0.0)
    assert [type(report) for report in reports] == [Reported]
    assert last.event == "stopped"
