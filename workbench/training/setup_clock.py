"""How long a job took to get ready: from its arrival in this process to the first step of its training."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

_began: float | None = None
_seconds = _ready = 0.0


def begin() -> None:
    """Begin with a job."""
    global _began, _seconds, _ready
    _began, _seconds, _ready = time.perf_counter(), 0.0, 0.0


def ready() -> None:
    """Say that the first step is about to be trained; later calls say nothing."""
    global _began, _seconds, _ready
    if _began is not None:
        _ready = time.perf_counter()
        _seconds, _began = _ready - _began, None


@contextlib.contextmanager
def still_running() -> Iterator[None]:
    """Let steps that only measure be a part of getting ready."""
    global _began, _seconds, _ready
    before = _began, _seconds, _ready
    try:
        yield
    finally:
        _began, _seconds, _ready = before


def seconds_after(moment: float) -> float:
    """Return how much of the time to get ready fell after a moment of ``time.perf_counter()``."""
    return max(0.0, _ready - moment)


def seconds() -> float:
    """Return how long it took; 0 for a job that has not trained step by step."""
    return _seconds
