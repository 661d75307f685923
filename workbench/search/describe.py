"""Learning what a factory declares, before it is searched: a bad one is known in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.errors import FactoryError, WorkbenchError
from workbench.execution.contract import Executor
from workbench.search.answers import answer_all
from workbench.types import Described, Description, Failed, Finished, Job, Lost, Stopped, WorkerEvent

LIMIT_SECONDS = 300.0
"""A factory that has not been built and tried by then hangs; the executor is closed by who made it."""


def describe(executor: Executor, job: Job) -> Description:
    """Run a describe job and return its answer.

    Raises:
        FactoryError: the factory raises, or returns something that cannot be trained.
        WorkbenchError: the worker died, or something of ours failed.
    """
    return describe_all(executor, [job])[0]


def describe_all(
    executor: Executor, jobs: Sequence[Job], say: Callable[[Job], None] = lambda _: None
) -> list[Description]:
    """Run describe jobs, as many at once as the executor takes; ``say`` is told of each that begins.

    Raises:
        FactoryError: the first factory that cannot be used.
        WorkbenchError: a worker died, or something of ours failed.
    """
    found = dict[str, Description]()

    def take(job: Job, event: WorkerEvent | None) -> None:
        found[job.job_id] = _answer(job, event)

    answer_all(executor, jobs, take, seconds=lambda _: LIMIT_SECONDS, say=say)
    return [found[job.job_id] for job in jobs]


def _answer(job: Job, event: WorkerEvent | None) -> Description:
    name = job.family.name
    if event is None:
        raise FactoryError(f"family '{name}' ({job.family.factory}): not built within {LIMIT_SECONDS:.0f} s")
    if isinstance(event, Described):
        return event.description
    if isinstance(event, Failed) and event.failure.code in ("factory", "shape", "nonfinite"):
        raise FactoryError(f"family '{name}' ({job.family.factory}): {event.failure.message}")
    if isinstance(event, Failed):
        raise WorkbenchError(f"family '{name}' cannot be described: {event.failure.traceback or event.failure.message}")
    if isinstance(event, Lost):
        raise WorkbenchError(f"family '{name}' cannot be described: {event.message}")
    if isinstance(event, (Finished, Stopped)):
        raise TypeError(f"family '{name}': a describe job was answered with '{event.event}'")
    raise TypeError(f"unknown event {event!r}")
