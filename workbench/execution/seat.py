"""A place for one worker: which worker sits there, what it works on, and how it all ends."""

from __future__ import annotations

import queue
import signal
import time

from workbench import signals
from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import Device
from workbench.execution.machine import kernel_kills
from workbench.execution.memory_watch import MemoryWatch, killed_by_kernel, too_much
from workbench.execution.protocol import Stop, Submit
from workbench.execution.worker_process import Heard, WorkerProcess
from workbench.types import Began, Failed, Failure, Finished, Job, Lost, Reported, WorkerEvent

TERM_SECONDS = 3.0
"""From SIGTERM to SIGKILL."""


class Seat:
    """Has one worker at most, started when it is needed, and at most one job, which ends with exactly one event."""

    def __init__(self, options: ExecutorOptions, device: Device, heard: queue.SimpleQueue[Heard]) -> None:
        """Nobody sits here yet; what a worker says will go to ``heard``."""
        self._options = options
        self._device = device
        self._heard = heard
        self.worker: WorkerProcess | None = None
        self.job_id: str | None = None
        self._clear()

    def _clear(self) -> None:
        self._asked: float | None = None
        self._signalled: float | None = None
        self._failure: Failure | None = None
        self._kills = 0
        self._crowded = False

    @property
    def warm(self) -> bool:
        """Say whether a worker is here and lives."""
        return self.worker is not None and not self.worker.ended

    def warm_up(self) -> WorkerProcess:
        """Return the worker of this place, a new one where there is none or it has died."""
        if self.worker is None or self.worker.ended:
            self.vacate()
            with signals.deferred():  # a process that is started, and known to nobody yet, would be left behind
                self.worker = WorkerProcess(self._options, self._device, self._heard)
                self._watch = MemoryWatch(self.worker.pid, self._device.memory_mb)
        return self.worker

    def begin(self, job: Job) -> None:
        """Hand a job to the worker."""
        worker = self.warm_up()
        self._clear()
        self.job_id, self._kills = job.job_id, kernel_kills()
        self._watch.begin()
        worker.send(Submit(job=job))

    def stop(self) -> None:
        """Ask the worker to end its job; `tick` ends the worker if it does not."""
        if self.worker is not None and self.job_id is not None and self._asked is None:
            self._asked = time.monotonic()
            self.worker.send(Stop(job_id=self.job_id))

    def vacate(self) -> None:
        """End the worker and everything that its jobs have started."""
        if self.worker is not None:
            self.worker.kill()
        self.worker = self.job_id = None

    # --- while a job is under way ------------------------------------------------------------------------------------

    def tick(self, *, crowded: bool) -> None:
        """End the worker if it holds too much or does not heed a stop; ``crowded``: the machine's memory is short."""
        if self.worker is None:
            return
        if self.worker.ended:
            # What it forked may live, and hold the pipe whose end tells of its death.
            self.worker.signal(signal.SIGKILL)
        elif self.job_id is not None:
            self._watch.look()
            self._crowded = crowded or self._watch.nearly_exceeded
            if self._failure is None and self._watch.exceeded:
                self._failure = too_much(self._watch.held, self._device.memory_mb)
                self.worker.signal(signal.SIGKILL)
            self._hurry(self.worker, time.monotonic())

    def _hurry(self, worker: WorkerProcess, now: float) -> None:
        if self._asked is None or now < self._asked + self._options.grace_s:
            return
        if self._signalled is None:
            self._signalled = now
            worker.signal(signal.SIGTERM)
        elif now > self._signalled + TERM_SECONDS:
            worker.signal(signal.SIGKILL)

    # --- what it says ------------------------------------------------------------------------------------------------

    def answer(self, event: WorkerEvent | None) -> WorkerEvent | None:
        """Return what the driver hears of a worker's event, or of its death (``None``)."""
        if event is None:
            event = self._death()
        elif event.job_id != self.job_id:
            return None
        if isinstance(event, Began):
            return event.model_copy(update={"device": self._device.name})
        if event is not None and not isinstance(event, Reported):
            event = self._measured(event)
            self._end_job()
        return event

    def _end_job(self) -> None:
        doomed = self._signalled is not None or self._failure is not None
        if self.worker is not None and (doomed or self._watch.leaked()):
            self.vacate()
        self.job_id = None

    def _measured(self, event: WorkerEvent) -> WorkerEvent:
        """Add what was seen from here for a runner that does not measure its own memory."""
        if not isinstance(event, Finished) or event.result.cached or event.result.peak_mb:
            return event
        result = event.result.model_copy(update={"peak_mb": self._watch.peak})
        return event.model_copy(update={"result": result})

    def _death(self) -> Lost | Failed | None:
        worker, job_id = self.worker, self.job_id
        if worker is None:
            return None
        code = worker.kill()
        self.worker = None
        if job_id is None:
            return None
        short = code == -signal.SIGKILL and (self._crowded or kernel_kills() > self._kills)
        if self._failure is None and self._signalled is None and short:
            self._failure = killed_by_kernel(self._watch.held)
        if self._failure is not None:
            return Failed(job_id=job_id, failure=self._failure)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        told = f" after it had not ended within {self._options.grace_s:g} s" if self._signalled is not None else ""
        return Lost(job_id=job_id, message=f"the worker died ({how}){told}; its output is in {worker.log}")
