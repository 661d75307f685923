"""One warm worker that trains one configuration after the other: how long each takes, and what the worker holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.measurement import Measurement
from benchmarks.searches import described, local_executor, opened
from workbench.execution.contract import Executor
from workbench.search.engine import EngineOptions
from workbench.search.random_engine import RandomEngine
from workbench.types import Began, Finished, Job, Reported, TrialResult, Values

SETTLED = 20
"""Trials after which a worker has loaded everything that it needs."""


@dataclass(frozen=True)
class Trained:
    """A trial that has ended."""

    result: TrialResult
    seconds: float
    """From handing the job over to hearing of its end."""
    cpu_seconds: float
    """Of the worker since the trial before, or its start."""
    resident_mb: float
    """What the worker held then, in MB of 10^6 bytes."""


def trained(executor: Executor, template: Job, values: Iterable[Values]) -> Iterator[Trained]:
    """Train the values one after the other.

    Raises:
        RuntimeError: a job did not end well, or the worker was replaced.
    """
    workers, worked = set(), 0.0
    for number, each in enumerate(values):
        update = {"job_id": str(number), "values": each, "fit_key": f"{number:016x}"}
        began = time.perf_counter()
        executor.submit(template.model_copy(update=update))
        result = _ended(executor)
        seconds = time.perf_counter() - began
        worker = _worker()
        workers.add(worker.pid)
        if len(workers) > 1:
            raise RuntimeError(f"the worker was replaced before trial {number + 1}")
        used = worker.cpu_times()
        before, worked = worked, used.user + used.system
        yield Trained(result, seconds, worked - before, worker.memory_info().rss / 1e6)


def growth(folder: Path, trials: int) -> Measurement:
    """Measure how much a worker's resident memory grows from trial `SETTLED` to the last; it gets a small experiment.

    Shapes are mixed: depth and widths vary.
    """
    engine = RandomEngine(EngineOptions("minimize", seed=1))
    with opened(folder) as (_, template):
        executor = local_executor(folder, 1)
        try:
            space = described(executor, template)
            values = (engine.ask(number, space).values for number in range(1, trials + 1))
            resident = [each.resident_mb for each in trained(executor, template, values)]
        finally:
            executor.close()
    first, last = resident[SETTLED - 1], resident[-1]
    return Measurement(
        name=f"worker_growth_{trials}_mb",
        title=f"memory, trial {SETTLED} to {trials}",
        repeats=(last - first,),
        unit="MB",
        note=f"a worker's {first:.0f} MB at trial {SETTLED}",
    )


def _worker() -> psutil.Process:
    """Return the worker process that this one has started."""
    return next(child for child in psutil.Process().children() if "workbench.execution.worker" in child.cmdline())


def _ended(executor: Executor) -> TrialResult:
    while True:
        for event in executor.events(timeout=1.0):
            if isinstance(event, Finished):
                return event.result
            if not isinstance(event, (Began, Reported)):
                raise RuntimeError(f"expected a finished job, got {event}")
