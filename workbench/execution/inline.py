"""The executor for debugging and tests: jobs run in this process, one after another."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from workbench import signals
from workbench.execution.contract import ExecutorOptions, answer, load_runner
from workbench.execution.protocol import worth_sending
from workbench.types import Job, Reported, WorkerEvent


class InlineExecutor:
    """Runs a job inside `events`, so that a breakpoint in a factory works.

    The driver hears of epochs only when the job has ended; `stop` works on jobs that have not begun, and on those whose
    stop was asked for from inside the runner.
    """

    capacity = 1
    busy = False
    devices = "this process"

    def __init__(self, options: ExecutorOptions) -> None:
        """Load the runner into this process."""
        os.environ.setdefault("KERAS_BACKEND", options.backend)
        self._runner = load_runner(options.runner, options.runner_root)
        self._jobs: deque[Job] = deque()
        self._stopped: set[str] = set()

    def submit(self, job: Job) -> None:
        """Queue a job for the next `events`."""
        self._jobs.append(job)

    def events(self, timeout: float) -> Iterator[WorkerEvent]:  # noqa: ARG002 - nothing to wait for
        """Run the queued jobs, and yield each one's reports and its end."""
        while self._jobs:
            job = self._jobs.popleft()
            reports: list[Reported] = []

            def report(reported: Reported, reports: list[Reported] = reports) -> bool:
                if worth_sending(reported.epoch):
                    reports.append(reported)
                return reported.job_id in self._stopped

            with signals.at_once():  # a job may take hours, and writes nothing that a signal could tear
                last = answer(self._runner, job, report)
            yield from reports
            yield last

    def stop(self, job_id: str) -> None:
        """Make the job end at its next report."""
        self._stopped.add(job_id)

    def close(self) -> None:
        """Forget the jobs that have not begun."""
        self._jobs.clear()
