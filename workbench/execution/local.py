"""The executor of everyday use: a warm worker process on this machine."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO

from pydantic import ValidationError

from workbench.execution.contract import ExecutorOptions
from workbench.execution.protocol import COMMAND, EVENT, Command, Hello, Stop, Submit
from workbench.types import Job, Lost, Reported, WorkerEvent

GRACE_SECONDS = 10.0
"""How long a job that was told to stop may take until its worker is killed."""


class LocalExecutor:
    """Runs jobs in one worker process, replaced when it dies."""

    capacity = 1
    devices = "1 worker"

    @property
    def busy(self) -> bool:
        """Say whether a job is under way."""
        return self._job is not None

    def __init__(self, options: ExecutorOptions) -> None:
        """Start the worker; it loads its libraries while the driver goes on."""
        self._options = options
        self._events: queue.SimpleQueue[tuple[WorkerProcess, WorkerEvent | None]] = queue.SimpleQueue()
        self._job: str | None = None
        self._kill_at: float | None = None
        self._worker = WorkerProcess(options, self._events)

    def submit(self, job: Job) -> None:
        """Hand the job to the worker, a new one if the last one died."""
        if self._job is not None:
            raise RuntimeError(f"job {self._job} is under way; the executor takes one at a time")
        if not self._worker.alive:
            self._worker.kill()
            self._worker = WorkerProcess(self._options, self._events)
        self._job, self._kill_at = job.job_id, None
        self._worker.send(Submit(job=job))

    def events(self, timeout: float) -> Iterator[WorkerEvent]:
        """Yield what the worker has said."""
        wait = timeout
        while True:
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                self._worker.kill()
            try:
                worker, event = self._events.get(timeout=wait) if wait > 0 else self._events.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            if worker is not self._worker:
                continue
            event = event if event is not None else self._death()
            if event is None or event.job_id != self._job:
                continue
            if not isinstance(event, Reported):
                self._job = self._kill_at = None
            yield event

    def stop(self, job_id: str) -> None:
        """Ask the worker to stop the job; after `GRACE_SECONDS` it is killed."""
        if job_id == self._job and self._kill_at is None:
            self._kill_at = time.monotonic() + GRACE_SECONDS
            self._worker.send(Stop(job_id=job_id))

    def close(self) -> None:
        """Kill the worker: between jobs there is nothing in it that is worth waiting for."""
        self._worker.kill()

    def _death(self) -> Lost | None:
        if self._job is None:
            return None
        code = self._worker.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Lost(job_id=self._job, message=f"the worker died ({how}); its output is in {self._worker.log}")


class WorkerProcess:
    """A worker's process, its pipes, and the thread that reads it."""

    def __init__(self, options: ExecutorOptions, events: queue.SimpleQueue[tuple[WorkerProcess, WorkerEvent | None]]):
        """Start the process; ``(self, event)`` goes to ``events``, and ``(self, None)`` when it has ended."""
        options.logs.mkdir(parents=True, exist_ok=True)
        self.log = options.logs / "worker.log"
        self._lock = threading.Lock()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches the driver alone, which decides.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench.execution.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(options),
                start_new_session=True,
            )
        threading.Thread(target=self._read, args=(self._stdout, events), daemon=True).start()
        self.send(Hello(runner=options.runner, runner_root=options.runner_root))

    @property
    def alive(self) -> bool:
        """Say whether the process runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, command: Command) -> None:
        """Write a command; a dead worker's pipe is no error here, its death is told by the reading thread."""
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            self._stdin.write(COMMAND.dump_json(command) + b"\n")
            self._stdin.flush()

    def kill(self) -> None:
        """End the process at once, and close its pipe."""
        self._signal()
        self._process.wait()
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def wait(self) -> int:
        """Return the exit code of a process that has ended."""
        return self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        return _piped(self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return _piped(self._process.stdout)

    def _read(self, stream: IO[bytes], events: queue.SimpleQueue[tuple[WorkerProcess, WorkerEvent | None]]) -> None:
        try:
            with stream:
                for line in stream:
                    # A killed worker's last line may be torn.
                    if line.endswith(b"\n"):
                        events.put((self, EVENT.validate_json(line)))
        except ValidationError:
            # Something in the worker wrote into the pipe: what it says can no longer be understood.
            self._signal()
        finally:
            events.put((self, None))

    def _signal(self) -> None:
        """Kill the worker and what it has started; they are a process group of their own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def environment(options: ExecutorOptions) -> dict[str, str]:
    """Return a worker's environment: everything that libraries read when they are first imported."""
    threads = str(usable_cores())
    return {
        **os.environ,
        "KERAS_BACKEND": options.backend,
        "OMP_NUM_THREADS": threads,
        # Threads that wait must not spin: on a busy machine each barrier would cost a time slice.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
    }


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the worker was started without pipes")
    return stream
