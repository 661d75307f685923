"""A worker process: ``python -m workbench.execution.worker``.

It reads commands from its standard input and writes events to its standard output, stays warm between jobs, and ends at
once when its input closes, which is what the driver's death looks like from here. Whatever jobs print goes to the log.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import signal
import sys
import threading
from typing import TextIO

from workbench.execution.contract import answer, load_runner
from workbench.execution.protocol import COMMAND, EVENT, Command, Hello, Stop, Submit, worth_sending
from workbench.types import Began, Reported, WorkerEvent


class Worker:
    """The state of a worker: what is to be run, what is to be stopped, and where answers go."""

    def __init__(self, source: TextIO, sink: TextIO) -> None:
        """Read commands from ``source``, write events to ``sink``."""
        self._source = source
        self._sink = sink
        self._commands: queue.SimpleQueue[Hello | Submit] = queue.SimpleQueue()
        self._stopped: set[str] = set()

    def serve(self) -> None:
        """Run jobs until the input closes."""
        threading.Thread(target=self._listen, daemon=True).start()
        hello = self._commands.get()
        if not isinstance(hello, Hello):
            raise TypeError(f"expected a hello first, got {hello.kind}")
        runner = load_runner(hello.runner, hello.runner_root)
        while True:
            command = self._commands.get()
            if isinstance(command, Submit):
                self._send(Began(job_id=command.job.job_id))
                self._send(answer(runner, command.job, self._report))
                self._stopped.discard(command.job.job_id)

    def _listen(self) -> None:
        for line in self._source:
            self._take(COMMAND.validate_json(line))
        # A job may sit in native code for minutes, or have processes of its own: the whole group ends now.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _take(self, command: Command) -> None:
        if isinstance(command, Stop):
            self._stopped.add(command.job_id)
        else:
            self._commands.put(command)

    def _report(self, reported: Reported) -> bool:
        if worth_sending(reported.epoch):
            self._send(reported)
        return reported.job_id in self._stopped

    def _send(self, event: WorkerEvent) -> None:
        try:
            self._sink.write(EVENT.dump_json(event).decode() + "\n")
            self._sink.flush()
        except BrokenPipeError:
            os._exit(0)


def die_with_driver(lifeline: int) -> None:
    """Have the kernel kill this process group when the driver's end of a pipe closes (Linux; ``man 2 fcntl``).

    The thread that waits for the end of the input does the same everywhere, unless native code holds the interpreter.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def log_to_stderr() -> None:
    """Write what the workbench's loggers say from INFO on to standard error, which is the worker's log.

    What libraries log stays as they have it, and a root handler of the user's code does not say ours again.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("workbench")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def main() -> None:
    """Keep the pipe to the driver for events alone: prints of jobs and of C libraries go to standard error."""
    if len(sys.argv) > 1:
        die_with_driver(int(sys.argv[1]))
    # What the driver ignores would be ignored here too; a handler of Python's would not run while native code does.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    log_to_stderr()
    Worker(sys.stdin, events).serve()


if __name__ == "__main__":
    main()
