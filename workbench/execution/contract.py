"""What an executor is: it takes jobs and gives events. It knows neither ledger nor models."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from workbench import registry
from workbench.errors import FactoryError, TrialFailed, TrialStopped, UserError
from workbench.types import (
    Backend,
    Described,
    Description,
    Failed,
    Failure,
    FailureCode,
    Finished,
    Job,
    Reported,
    Stopped,
    TrialResult,
    Value,
    WorkerEvent,
)

Report = Callable[[Reported], bool]
"""Takes a validation value; answers whether the job should stop."""

Runner = Callable[[Job, Report], Description | TrialResult]

RUNNER = "workbench.training.runner:run"
"""The runner of everyday use; tests give a stub's dotted name."""


class ExecutorOptions(Value):
    """What an executor is made from."""

    runner: str = RUNNER
    runner_root: Path | None = None
    backend: Backend = "jax"
    logs: Path
    """Folder for the workers' output."""
    workers: int | None = None
    """Worker processes; ``None`` fits them to the machine."""
    workers_per_gpu: int = 1
    worker_memory: int | None = None
    """MB of 10^6 bytes that a worker may hold; ``None`` is its share of nine tenths of the machine's."""
    programs: Path | None = None
    """Folder of compiled programs that all workers of a kind of machine share; ``None`` keeps none."""
    deterministic: bool = False
    """Have backends use operations alone that give the same bits each time."""
    grace_s: float = 10.0
    """How long a job that was told to stop may take until its worker is ended."""


class Executor(Protocol):
    """Runs jobs. Made as ``factory(options)``; `workbench.testing` holds the contract as tests."""

    @property
    def capacity(self) -> int:
        """How many jobs may run at once."""
        ...

    @property
    def busy(self) -> bool:
        """Say whether a job is under way beside the caller, whose end can be waited for."""
        ...

    @property
    def devices(self) -> str:
        """What works, as people read it: ``4 workers, 1 core each``."""
        ...

    def submit(self, job: Job) -> None:
        """Start a job. At most `capacity` jobs are under way at once."""
        ...

    def events(self, timeout: float) -> Iterator[WorkerEvent]:
        """Yield what has happened; wait up to ``timeout`` seconds for the first event.

        Every job ends with exactly one of Described, Finished, Stopped, Failed or Lost.
        """
        ...

    def stop(self, job_id: str) -> None:
        """Ask a job to end; it gets some seconds to do so, then its worker is killed and the job is Lost."""
        ...

    def close(self) -> None:
        """End everything at once. Nothing started by the executor outlives this call."""
        ...


def load_runner(reference: str, root: Path | None) -> Runner:
    """Return the runner with this dotted name."""
    runner: Runner = registry.load(reference, root)
    return runner


def answer(runner: Runner, job: Job, report: Report) -> WorkerEvent:
    """Run a job and turn whatever comes of it into its final event; only Ctrl-C passes through."""
    try:
        outcome = runner(job, report)
    except TrialStopped:
        return Stopped(job_id=job.job_id)
    except TrialFailed as error:
        return _failed(job, error.code, error)  # type: ignore[arg-type]
    except FactoryError as error:
        return _failed(job, "factory", error, error.__cause__)
    except UserError as error:
        return _failed(job, "factory", error)
    except MemoryError as error:
        return _failed(job, "oom", error)
    except SystemExit as error:
        return _failed(job, "factory", RuntimeError(f"sys.exit({error.code}) was called"), error)
    except Exception as error:
        return _failed(job, "internal", error)
    if isinstance(outcome, Description):
        return Described(job_id=job.job_id, description=outcome)
    return Finished(job_id=job.job_id, result=outcome)


def _failed(job: Job, code: FailureCode, error: BaseException, shown: BaseException | None = None) -> Failed:
    """Return a job's failure with the traceback of ``shown``, or of the error itself.

    Of a `FactoryError`, a message to the user, only what it was raised from is shown: where the user's code raised.
    """
    if shown is None and not isinstance(error, FactoryError):
        shown = error
    message = str(error) or type(error).__name__
    if code == "internal":
        message = f"{type(error).__name__}: {message}"
    lines = "" if shown is None else "".join(traceback.format_exception(shown))
    return Failed(job_id=job.job_id, failure=Failure(code=code, message=message, traceback=lines))
