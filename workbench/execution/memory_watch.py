"""What a worker holds while it works: too much ends its job, what has leaked ends it between jobs."""

from __future__ import annotations

import sys

import psutil

from workbench.execution.devices import WORKER_BYTES
from workbench.types import Failure

GROWTH_MB = 1000.0
"""A worker that holds so much more after a job than after its first one has leaked it."""
LEAK = 1.25
"""The same as a factor, for one that holds more than half of its share: less is what allocators keep by themselves."""
NEARLY = 0.93
"""Of its share: a worker that held so much when it was killed from outside was killed for it."""
REMEDY = "raise training.worker_memory, or have fewer training.workers"


class MemoryWatch:
    """Follows one worker's memory, in MB of 10^6 bytes.

    What counts is what is the worker's own: pages of mapped files, which all workers share and the kernel can take
    back, are left out where the system tells them apart (Linux).
    """

    def __init__(self, pid: int, limit_mb: float) -> None:
        """Watch the process ``pid``, which may hold ``limit_mb``."""
        self._process = psutil.Process(pid)
        self._limit = limit_mb
        self._first: float | None = None
        self.held = 0.0
        self.peak = 0.0
        """Most that was seen since `begin`."""

    def begin(self) -> None:
        """A job begins."""
        self.held = self.peak = 0.0

    def look(self) -> None:
        """Measure what the worker holds now; nothing changes once it has ended."""
        try:
            found = self._process.memory_info()
        except psutil.Error:
            return
        held = (found.rss - (found.shared if sys.platform == "linux" else 0)) / 1e6
        if held > 0.0:  # a process that is ending has given all of it back
            self.held = held
            self.peak = max(self.peak, held)

    @property
    def exceeded(self) -> bool:
        """Say whether the worker held more than its share when last looked at."""
        return self.held > self._limit

    @property
    def nearly_exceeded(self) -> bool:
        """Say whether the worker held most of its share when last looked at."""
        return self.held > NEARLY * self._limit

    def leaked(self) -> bool:
        """Say, at the end of a job, whether the worker had better be replaced.

        Only growth counts: what a worker holds after its first job, its replacement would hold too.
        """
        self.look()
        first = self._first = self.held if self._first is None else self._first
        usual = max(0.5 * self._limit, LEAK * first, WORKER_BYTES / 1e6)
        return self.held > min(first + GROWTH_MB, usual)


def too_much(held_mb: float, limit_mb: float) -> Failure:
    """Return the failure of a job whose worker held more than its share."""
    message = f"the worker held {held_mb:.0f} MB of memory, its limit is {limit_mb:.0f} MB; {REMEDY}"
    return Failure(code="oom", message=message)


def killed_by_kernel(held_mb: float) -> Failure:
    """Return the failure of a job whose worker the kernel has killed."""
    message = (
        f"the system ran out of memory and killed the worker, which held {held_mb:.0f} MB when last seen; {REMEDY}"
    )
    return Failure(code="oom", message=message)
