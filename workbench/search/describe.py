"""Learning what a factory declares, before it is searched: a bad one is known in seconds."""

from __future__ import annotations

import time

from workbench.errors import FactoryError, WorkbenchError
from workbench.execution.contract import Executor
from workbench.types import Described, Description, Failed, Finished, Job, Lost, Reported, Stopped

LIMIT_SECONDS = 300.0
"""A factory that has not been built and tried by then hangs; the executor is closed by who made it."""


def describe(executor: Executor, job: Job) -> Description:
    """Run a describe job and return its answer.

    Raises:
        FactoryError: the factory raises, or returns something that cannot be trained.
        WorkbenchError: the worker died, or something of ours failed.
    """
    executor.submit(job)
    name, end = job.family.name, time.monotonic() + LIMIT_SECONDS
    while True:
        if time.monotonic() > end:
            raise FactoryError(f"family '{name}' ({job.family.factory}): not built within {LIMIT_SECONDS:.0f} s")
        for event in executor.events(timeout=1.0):
            if isinstance(event, Described):
                return event.description
            if isinstance(event, Failed) and event.failure.code in ("factory", "shape", "nonfinite"):
                raise FactoryError(f"family '{name}' ({job.family.factory}): {event.failure.message}")
            if isinstance(event, Failed):
                raise WorkbenchError(f"family '{name}' cannot be described: {event.failure.traceback}")
            if isinstance(event, Lost):
                raise WorkbenchError(f"family '{name}' cannot be described: {event.message}")
            if isinstance(event, (Finished, Stopped)):
                raise TypeError(f"family '{name}': a describe job was answered with '{event.event}'")
            if not isinstance(event, Reported):
                raise TypeError(f"unknown event {event!r}")
