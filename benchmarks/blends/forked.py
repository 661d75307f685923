"""One measurement in a process of its own, which begins with everything imported and the members in its memory.

It is a fork, so that hundreds of measurements need neither imports nor copies; systems without forks cannot run it.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

import psutil

Result = TypeVar("Result")
SAMPLE_SECONDS = 0.01
MAXRSS = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ``ru_maxrss``, which of a fork begins with what it has at its start."""


@dataclass(frozen=True)
class Forked(Generic[Result]):
    """What came of a process.

    Attributes:
        result: What the function returned; ``None`` if it was ended, or has failed.
        failure: Why, in words; empty if there is a result.
        extra_mb: Most resident memory beyond what the process had at its start, in MiB.
    """

    result: Result | None
    failure: str
    extra_mb: float


def import_all(modules: Iterable[str]) -> None:
    """Import modules, so that no process has to; those that are not installed are left out."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def forked(
    function: Callable[[], Result],
    limit: float,
    *,
    first: Callable[[], object] | None = None,
    most_mb: float = float("inf"),
) -> Forked[Result]:
    """Call a function in a process of its own; end that after ``limit`` seconds, or with more memory than ``most_mb``.

    ``first`` is called there before, and neither measured nor limited: for what only a process' first call needs.
    The result crosses to this process: it must be small, and made of plain values.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(function, first, there), daemon=True)
    with warnings.catch_warnings():
        # Python and JAX warn of forks where there are threads. Here nothing has begun any but BLAS, which knows forks.
        warnings.simplefilter("ignore")
        process.start()
    there.close()
    try:
        return _watched(process.pid or 0, here, limit, most_mb)
    finally:
        process.kill()
        process.join()
        here.close()


def _answer(function: Callable[[], Result], first: Callable[[], object] | None, there: Connection) -> None:
    with contextlib.suppress(Exception):  # what fails here fails again where it is measured, and is told then
        if first is not None:
            first()
    there.send(_resident(psutil.Process()))
    try:
        answer, failure = function(), ""
    except Exception as error:
        answer, failure = None, f"{type(error).__name__}: {error}"
    there.send((answer, failure, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS / 2**20))


def _watched(pid: int, here: Connection, limit: float, most_mb: float) -> Forked[Result]:
    process = psutil.Process(pid)
    start = peak = 0.0
    try:
        start = peak = here.recv()
        until = time.monotonic() + limit
        while not here.poll(SAMPLE_SECONDS):
            peak = max(peak, _resident(process))
            if time.monotonic() > until:
                return Forked(None, f"> {limit:g} s", peak - start)
            if peak - start > most_mb:
                return Forked(None, f"> {most_mb / 1024:.0f} GB", peak - start)
        result, failure, peak = here.recv()
    except (EOFError, psutil.NoSuchProcess):
        return Forked(None, "the process was ended, perhaps for want of memory", peak - start)
    return Forked(result, failure, peak - start)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20
