"""A worker as the driver holds it: a process, its pipes, and the thread that reads it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO

import psutil
from pydantic import ValidationError

from workbench.execution import programs
from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import Device
from workbench.execution.environment import environment
from workbench.execution.protocol import COMMAND, EVENT, Command, Hello
from workbench.types import WorkerEvent

KILLED_SECONDS = 5.0
"""For a killed process to be gone: the kernel gives its memory back first, a GPU's driver takes its time."""


class WorkerProcess:
    """One worker, from its start to its end; a seat starts another when it has ended."""

    def __init__(self, options: ExecutorOptions, device: Device, events: queue.SimpleQueue[Heard]) -> None:
        """Start the process; ``(self, event)`` goes to ``events``, and ``(self, None)`` when it has ended."""
        options.logs.mkdir(parents=True, exist_ok=True)
        if options.programs is not None and options.backend == "jax":
            programs.tend(options.programs, device.threads)
        self.log = options.logs / f"worker-{device.slot}.log"
        self._lock = threading.Lock()
        # Nothing is ever written into it: that it closes when this process dies is what it is for.
        lifeline, self._lifeline = os.pipe()
        with self.log.open("ab") as log, os.fdopen(lifeline, "rb"):
            # A session of its own: Ctrl-C in the terminal reaches the driver alone, which decides.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench.execution.worker", str(lifeline)],
                pass_fds=(lifeline,),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(options, device),
                start_new_session=True,
            )
        threading.Thread(target=self._read, args=(self._stdout, events), daemon=True).start()
        self.send(Hello(runner=options.runner, runner_root=options.runner_root))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Say whether the process is no more, without taking its exit code: its process group keeps its id until then.

        A closed pipe alone does not say it: processes that a job has forked may hold it open.
        """
        if self._process.returncode is not None:
            return True
        try:
            return psutil.Process(self.pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return True

    def send(self, command: Command) -> None:
        """Write a command; a dead worker's pipe is no error here, its death is told by the reading thread."""
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            self._stdin.write(COMMAND.dump_json(command) + b"\n")
            self._stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker and what its jobs have started: they are a process group of their own."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def kill(self) -> int:
        """End the worker and everything below it at once, close its pipe, and return its exit code."""
        below = self._descendants()
        self.signal(signal.SIGKILL)
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILLED_SECONDS)
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        self._cut()
        return self._process.returncode if self._process.returncode is not None else -signal.SIGKILL

    def _cut(self) -> None:
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)

    def _descendants(self) -> list[psutil.Process]:
        """Return what the worker has started, also in sessions of their own."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []

    @property
    def _stdin(self) -> IO[bytes]:
        return _piped(self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return _piped(self._process.stdout)

    def _read(self, stream: IO[bytes], events: queue.SimpleQueue[Heard]) -> None:
        try:
            with stream:
                for line in stream:
                    # A killed worker's last line may be torn.
                    if line.endswith(b"\n"):
                        events.put((self, EVENT.validate_json(line)))
        except ValidationError:
            # Something in the worker wrote into the pipe: what it says can no longer be understood.
            self.signal(signal.SIGKILL)
        finally:
            events.put((self, None))


Heard = tuple[WorkerProcess, WorkerEvent | None]


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the worker was started without pipes")
    return stream
