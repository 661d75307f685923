"""How much memory a table will take, told before it is read: a process without memory is killed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd

from workbench.errors import DataError

SAMPLE = 2**20
"""Bytes of text that are looked at."""
COPIES = 3
"""The table as it was read, conformed to the schema, and prepared for models."""
MOST_GROWTH = 60
"""Plain text takes at most so many times its size, in all copies: a file that is small enough needs no closer look."""
TEXT_BYTES = 40
"""Memory of a text cell of a Parquet file, whose own size says little: equal texts are written once."""


def check_fits(path: Path, *, separator: str, encoding: str, memory: int | None) -> None:
    """Refuse a table for which there is not enough memory, from its size and its first lines, or Parquet's metadata.

    Args:
        path: a file that is there.
        separator: between the fields of a text table; empty for Parquet.
        encoding: of a text table.
        memory: bytes there are; what the system and its control group leave free if ``None``.

    Raises:
        DataError: with the estimate, what is there, and what to do.
    """
    memory = available() if memory is None else memory
    plain = separator and not path.name.lower().endswith(".gz")
    if plain and path.stat().st_size * MOST_GROWTH <= memory:
        return
    rows, needed = estimate(path, separator=separator, encoding=encoding)
    if needed > memory:
        raise DataError(
            f"{path} is too large: {rows:,} rows need about {_gigabytes(needed)} of memory (read, typed and prepared; "
            f"an estimate), but {_gigabytes(memory)} are free; write it as Parquet with fewer columns, train on a "
            "sample of its rows, or use a larger machine"
        )


def estimate(path: Path, *, separator: str, encoding: str) -> tuple[int, int]:
    """Return how many rows a table has and how many bytes it will take in memory, copies included."""
    if not separator:
        rows, row_bytes = _parquet(path)
        return rows, int(rows * row_bytes * COPIES)
    sample, size = _sample(path)
    text = sample.decode(encoding, errors="replace")
    lines = text[: text.rfind("\n") + 1] or text
    try:
        frame = pd.read_csv(io.StringIO(lines), sep=separator, on_bad_lines="skip", low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError):
        return 0, 0  # what is wrong is told when the whole file is read
    rows = round(len(frame) * size / len(sample) * len(text) / len(lines))
    return rows, int(frame.memory_usage(deep=True).sum() / max(1, len(frame)) * rows * COPIES)


def available() -> int:
    """Return the bytes of memory that this process may still take."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = group_left(Path("/sys/fs/cgroup"))
    return free if group is None else min(free, group)


def group_left(root: Path) -> int | None:
    """Return what a control group leaves free, version 2 or 1, as a container sees its own; ``None`` without a limit.

    Cached files that nobody uses count as taken there, and are given up when memory is needed.
    """
    for limit, used, folder in (
        ("memory.max", "memory.current", root),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", root / "memory"),
    ):
        try:
            most, taken = int((folder / limit).read_text()), int((folder / used).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # no such group, or 'max'
            continue
        return max(0, most - taken + int(stat.get("total_inactive_file", stat.get("inactive_file", 0))))
    return None


def _sample(path: Path) -> tuple[bytes, int]:
    """Return the beginning of a text table, and the size of the whole text in bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if not path.name.lower().endswith(".gz"):
            return file.read(SAMPLE), size
        with gzip.open(file) as text:
            sample = text.read(SAMPLE)
            return sample, round(len(sample) * max(1.0, size / max(1, file.tell())))


def _parquet(path: Path) -> tuple[int, float]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows, schema = pq.read_metadata(path).num_rows, pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return 0, 0.0  # told when it is read
    return rows, float(sum(_cell_bytes(field.type) for field in schema))


def _cell_bytes(kind: object) -> int:
    """Return the bytes of a cell once it is conformed: numbers are float64."""
    import pyarrow as pa

    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    return TEXT_BYTES if text else 8


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
