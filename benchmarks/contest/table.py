"""The contest as a table: a section for each number of rows, a line for each contender."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.contest.setting import BATCH, EPOCHS, SPLITS
from benchmarks.measurement import Row

BASE = "keras_tuner"
"""What everyone is compared with."""
HEADINGS = ("wor-\nkers", "trials", "trials\n/min", "times", "search\ns", "whole\ns", "CPU\ns", "peak\nMB", "log\nloss")
CAPTION = (
    f"{SPLITS} folds, {EPOCHS} epochs, batch {BATCH}, two hidden layers, the same values for all. Trials a minute, and "
    "how many times KerasTuner's on TensorFlow they are, are of the search: from the first ask (ours: from before the "
    "first worker is started) to the end of the last trial, compiles counted in. 'whole s' is the process with its "
    "imports; CPU and peak memory are of all its processes, where shared pages count for each. Ours leave partial "
    "batches out, hence the other loss. The last column says how the splits trained on JAX: as one program, or why not."
)


def table(rows: Sequence[Row]) -> Table:
    """Return the rows by size, in the order in which they were measured."""
    drawn = Table(title="Trials a minute", caption=CAPTION, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    drawn.add_column("contender", no_wrap=True)
    for heading in HEADINGS:
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("splits")
    for size in dict.fromkeys(row.rows for row in rows):
        drawn.add_section()
        drawn.add_row(f"[bold]{size:,} rows")
        for row in rows:
            if row.rows == size:
                drawn.add_row(*_cells(row, ratio(rows, size, row.contender)))
    return drawn


def ratio(rows: Sequence[Row], size: int, contender: str, base: str = BASE) -> float | None:
    """Return how many times the base's trials a minute a contender has; ``None`` where one was not measured."""
    rates = {row.contender: row.trials_per_minute for row in rows if row.rows == size}
    return rates[contender] / rates[base] if contender in rates and base in rates else None


def _cells(row: Row, times: float | None) -> tuple[str, ...]:
    return (
        row.title,
        f"{row.workers or ''}",
        f"{row.trials}",
        f"{row.trials_per_minute:.3g}",
        "" if times is None else f"{times:.1f}",
        f"{row.search_s:.0f}",
        f"{row.wall_s:.0f}",
        f"{row.cpu_s:.0f}",
        f"{row.peak_mb:.0f}",
        f"{row.score:.3f}",
        row.note,
    )
