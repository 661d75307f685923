"""Jobs that are no trials: given out, as many at once as the executor takes, and their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from workbench import signals
from workbench.execution.contract import Executor
from workbench.types import Began, Job, Reported, WorkerEvent

POLL_SECONDS = 0.2


def answer_all(
    executor: Executor,
    jobs: Sequence[Job],
    take: Callable[[Job, WorkerEvent | None], None],
    *,
    seconds: Callable[[Job], float],
    say: Callable[[Job], None] = lambda _: None,
) -> None:
    """Run jobs until each has been answered; what ``take`` raises ends it.

    Args:
        executor: whoever made it closes it.
        jobs: each with an id of its own.
        take: gets each job's final event as it comes; ``None`` for a job that was told to end after its time.
        seconds: how long a job may take.
        say: is told of each job that begins.
    """
    waiting, running, late = list(jobs), dict[str, tuple[Job, float]](), set[str]()
    with signals.deferred():
        while waiting or running:
            while waiting and len(running) < executor.capacity:
                job = waiting.pop(0)
                running[job.job_id] = job, time.monotonic() + seconds(job)
                say(job)
                executor.submit(job)
            for event in executor.events(timeout=POLL_SECONDS):
                if event.job_id in running and not isinstance(event, (Began, Reported)):
                    job, _ = running.pop(event.job_id)
                    take(job, None if job.job_id in late else event)
            for job_id, (_, end) in running.items():
                if job_id not in late and time.monotonic() > end:
                    late.add(job_id)
                    executor.stop(job_id)
            signals.check()
