"""The executor of everyday use: warm worker processes on this machine, as many as it feeds."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from workbench import signals
from workbench.execution import machine
from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import describe, plan
from workbench.execution.seat import Seat
from workbench.execution.worker_process import Heard
from workbench.types import Job, WorkerEvent

TICK_SECONDS = 0.25
"""Between two looks at the workers' memory and at those that do not heed a stop."""


class LocalExecutor:
    """Runs each job in a worker process with a device of its own; workers stay warm from job to job.

    The first worker is started at once, so that it loads its libraries while the driver goes on; more are started as
    jobs need them. What dies, leaks or holds too much is replaced when the next job comes.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        """Look at the machine, and start the first worker."""
        devices = plan(machine.look(options.backend), options)
        self.devices = describe(devices)
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._seats = [Seat(options, device, self._heard) for device in devices]
        self._ticked = 0.0
        try:
            self._seats[0].warm_up()
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """How many jobs may run at once: one on each device."""
        return len(self._seats)

    @property
    def busy(self) -> bool:
        """Say whether a job is under way."""
        return any(seat.job_id is not None for seat in self._seats)

    def submit(self, job: Job) -> None:
        """Hand the job to an idle worker that is warm, else to a new one.

        Raises:
            RuntimeError: as many jobs as there are devices are under way.
        """
        idle = [seat for seat in self._seats if seat.job_id is None]
        if not idle:
            raise RuntimeError(f"{self.capacity} jobs are under way; the executor ({self.devices}) takes no more")
        next((seat for seat in idle if seat.warm), idle[0]).begin(job)

    def events(self, timeout: float) -> Iterator[WorkerEvent]:
        """Yield what the workers have said; wait up to ``timeout`` seconds for the first of it."""
        end = time.monotonic() + timeout
        while True:
            self._tick()
            wait = min(TICK_SECONDS, end - time.monotonic())
            try:
                worker, said = self._heard.get(timeout=wait) if wait > 0.0 else self._heard.get_nowait()
            except queue.Empty:
                if wait <= 0.0:
                    return
                continue
            seat = next((seat for seat in self._seats if seat.worker is worker), None)
            event = seat.answer(said) if seat is not None else None
            if event is not None:
                end = 0.0
                yield event

    def stop(self, job_id: str) -> None:
        """Ask the job's worker to end it; one that does not is ended itself, and the job is Lost."""
        for seat in self._seats:
            if seat.job_id == job_id:
                seat.stop()

    def close(self) -> None:
        """End every worker: between jobs there is nothing in one that is worth waiting for."""
        with signals.deferred():  # nobody ends those that are left
            for seat in self._seats:
                seat.vacate()

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._ticked < TICK_SECONDS:
            return
        self._ticked = now
        crowded = machine.nearly_full()
        for seat in self._seats:
            seat.tick(crowded=crowded)
