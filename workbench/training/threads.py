"""How many threads a boosted model is worth."""

from __future__ import annotations

import os

CELLS_PER_THREAD = 500_000
"""Below this a second thread costs more than it gives: 100 rounds of LightGBM on 400 x 30 cells took 0.1 s with one
thread and 0.3 s with four, on 30,000 x 14 cells 0.6 s and 1.1 s, on four busy cores."""


def worthwhile_threads(cells: int, threads: int) -> int:
    """Return the threads for a table of ``cells`` (rows x columns); ``threads`` is the most, 0 means this process's."""
    most = threads or usable_threads()
    return max(1, min(most, cells // CELLS_PER_THREAD))


def usable_threads() -> int:
    """Return this process's share of the cores: a worker is told it as ``OMP_NUM_THREADS``, others have every core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
