"""Whole processes under a stopwatch: what a user waits for, imports and all."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.machine import usable_cores

SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Run:
    """A process that has ended well."""

    seconds: float
    lines: tuple[tuple[float, str], ...]
    """What it printed, with the seconds since its start."""
    peak_mb: float
    """Largest resident memory of the process itself, sampled all the while."""
    tree_peak_mb: float
    """The same for the process and everything that it started, together; pages that they share count for each."""
    cpu_seconds: float = 0.0
    """Of the process and everything that it started and waited for."""

    def seconds_to(self, beginning: str) -> float:
        """Return when the first line that begins so was printed."""
        for seconds, line in self.lines:
            if line.startswith(beginning):
                return seconds
        raise LookupError(f"no line begins with '{beginning}'; there are {[line for _, line in self.lines]}")


def workbench() -> str:
    """Return the path of the console script beside this interpreter."""
    return str(Path(sys.executable).with_name("workbench"))


def seconds_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Run a command to its end and return its seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=_environment(environment))
    return time.perf_counter() - began


def watched(
    command: Sequence[str], *, folder: Path, cores: int | None = None, sample_seconds: float = SAMPLE_SECONDS
) -> Run:
    """Run a command on so many cores (where the system can bind it), and note when it prints what.

    Its CPU seconds are right if nothing else that this process started ends meanwhile.

    Raises:
        RuntimeError: it failed; the message holds the end of what it said.
    """
    began, worked = time.perf_counter(), _children_cpu()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*bound(cores), *command], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder, env=_environment()
        )
        memory = Memory(process.pid, sample_seconds)
        lines = []
        with process, memory:
            for line in process.stdout or ():
                lines.append((time.perf_counter() - began, line.rstrip()))
        seconds = time.perf_counter() - began
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}")
    return Run(seconds, tuple(lines), memory.own_mb, memory.tree_mb, _children_cpu() - worked)


def bound(cores: int | None) -> tuple[str, ...]:
    """Return the beginning of a command that binds it to the first cores; nothing where that cannot be done."""
    taskset = shutil.which("taskset")
    if cores is None or taskset is None:
        return ()
    return (taskset, "-c", ",".join(map(str, usable_cores()[:cores])))


@contextmanager
def bound_to(cores: int) -> Iterator[None]:
    """Bind this process, and what it starts, to so many cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(usable_cores()[:cores]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Memory:
    """Samples the memory of a process and its descendants while its block lasts."""

    def __init__(self, pid: int, sample_seconds: float = SAMPLE_SECONDS) -> None:
        """Watch the process ``pid``."""
        self._sample_seconds = sample_seconds
        self.own_mb = self.tree_mb = 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(self._sample_seconds):
            own = _resident_mb(self._process)
            self.own_mb = max(self.own_mb, own)
            self.tree_mb = max(self.tree_mb, own + sum(map(_resident_mb, _descendants(self._process))))


def _children_cpu() -> float:
    """Return the CPU seconds of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _resident_mb(process: psutil.Process) -> float:
    """Return resident memory in MiB; 0 for a process that has ended."""
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this environment without what would send runs to a tracking server of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return {**kept, **(more or {})}
