"""DataFrames that come from Python, as files: the rest of the workbench reads tables from disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd

from workbench.data.conform import ColumnFault, each_column
from workbench.errors import DataError

FAMILIES = {int: "number", float: "number", bool: "boolean", str: "text"}
"""Whole numbers and floats in one column are one type."""


def write_frame(frame: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write a DataFrame as Parquet, named by its content, and return the file. A named index becomes a column.

    Raises:
        DataError: columns mix types, or hold what Parquet cannot; tells of every column.
    """
    import pyarrow as pa

    frame = (frame.reset_index() if frame.index.name is not None else frame).rename(columns=str)
    if not frame.columns.is_unique:
        repeated = ", ".join(f"'{label}'" for label in frame.columns[frame.columns.duplicated()].unique())
        raise DataError(
            f"the DataFrame given as {name}: column names must differ, but {repeated} appears more than once"
        )
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}-{uuid4().hex}.parquet"  # several processes may write at once
    try:
        frame.to_parquet(temporary, index=False)
    except (pa.ArrowException, ValueError, TypeError, OSError) as error:
        each_column(frame.columns, lambda label: _check_writable(frame, label), origin=f"the DataFrame given as {name}")
        raise DataError(f"the DataFrame given as {name} cannot be written as Parquet: {error}") from error
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:12]
    return temporary.replace(folder / f"{name}-{digest}.parquet")


def _check_writable(frame: pd.DataFrame, label: str) -> None:
    import pyarrow as pa

    try:
        pa.Table.from_pandas(frame[[label]], preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        mixed = list(_types(frame[label]))
        if len(mixed) > 1:
            raise ColumnFault(f"column '{label}' mixes {' and '.join(mixed)}; make them all of one type") from error
        what = mixed[0] if mixed else str(frame[label].dtype)
        raise ColumnFault(
            f"column '{label}' holds {what}; expected numbers, text, booleans or dates: convert or leave out the column"
        ) from error


def _types(column: pd.Series[Any]) -> Iterator[str]:
    """Describe each type among a column's cells: how many, the first row, and an example."""
    first: dict[str, tuple[int, Any]] = {}
    counts: dict[str, int] = {}
    for row, cell in enumerate(column, start=1):
        if cell is not None and cell is not pd.NA and str(cell) not in ("nan", "NaT"):
            name = FAMILIES.get(type(cell), type(cell).__name__)
            counts[name] = counts.get(name, 0) + 1
            first.setdefault(name, (row, cell))
    for name, (row, cell) in first.items():
        yield f"{name} ({counts[name]} cells, first in row {row}: {cell!r})"
