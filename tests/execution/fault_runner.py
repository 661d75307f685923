"""A runner that does to its worker what a job's values say: ``do`` is one of the functions below."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from workbench.types import Job, Reported, TrialResult

KEPT: list[bytearray] = []


def run(job: Job, report: Callable[[Reported], bool]) -> TrialResult:
    report(Reported(job_id=job.job_id, split=0, epoch=1, value=float(os.getpid())))
    globals()[job.values.get("do", "nothing")](job)
    return TrialResult(score=0.0, score_se=0.0, scores=(0.0,), values=job.values)


def nothing(_job):
    pass


def sleep(job):
    time.sleep(float(job.values.get("seconds", 600.0)))


def native(_job):
    """Sleep in C without giving the interpreter's lock back: no other thread runs, no handler of Python's is called."""
    ctypes.PyDLL(None).sleep(600)


def deaf(_job):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(600)


def die(_job):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_job):
    os._exit(3)


def allocate(job):
    held = bytearray(int(job.values["mb"]) * 10**6)
    time.sleep(float(job.values.get("seconds", 0.0)))
    del held


def leak(job):
    KEPT.append(bytearray(int(job.values["mb"]) * 10**6))


def children(job):
    """Start processes that nobody waits for, one in a session of its own, and sleep."""
    command = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    started = [subprocess.Popen(command), subprocess.Popen(command, start_new_session=True)]
    file = job.plan / f"children-{job.job_id}"
    file.with_suffix(".new").write_text(" ".join(str(process.pid) for process in started))
    file.with_suffix(".new").rename(file)
    sleep(job)


def fork_and_die(job):
    """Leave a fork that holds the worker's pipes."""
    if os.fork() == 0:
        time.sleep(600)
    die(job)
