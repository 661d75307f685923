"""A table brought to the schema: its features, in order, each in one type.

Models are given conformed tables only, in training and in prediction alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import cells
from workbench.errors import DataError, nearest
from workbench.types import ColumnKind, Schema

Array = NDArray[Any]
Value = TypeVar("Value")
NESTED = (list, dict, set, tuple, np.ndarray, bytes)
EXPECTED = {
    "numeric": "numbers",
    "boolean": "true/false, yes/no or 1/0",
    "datetime": "ISO 8601 dates such as 2026-11-20 or 2026-11-20 17:30:00",
}
MOST_FAULTS = 10
"""So many columns at fault are told in one message."""


class ColumnFault(DataError):
    """A column's cells cannot be read; the message does not name the table yet."""


def conform(frame: pd.DataFrame, schema: Schema, *, origin: str) -> pd.DataFrame:
    """Return the schema's features in order, typed, with rows numbered from 0.

    Numeric and boolean columns become float64 with NaN for gaps (a boolean is 0.0 or 1.0), datetimes
    ``datetime64[us]`` in UTC, categories ``object``: ``str`` or ``None``. Further columns and another order do no
    harm. Each cell is converted alone: rows conformed one at a time equal the table conformed at once.

    Raises:
        DataError: a feature's column is absent or appears twice, or holds cells that its kind cannot be read from, or
            infinities. ``origin`` names the table in the message.
    """
    present = [str(name) for name in frame.columns]
    _check_present(present, schema, origin)
    kinds = {feature.name: feature.kind for feature in schema.features}
    labels = dict(zip(present, frame.columns, strict=True))
    columns = each_column(
        (feature.name for feature in schema.features),
        lambda name: as_series(read_column(frame[labels[name]], kinds[name], name)),
        origin=origin,
    )
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def each_column(names: Iterable[str], read: Callable[[str], Value], *, origin: str) -> dict[str, Value]:
    """Return what ``read`` gives for each name, having looked at all of them before any is complained of.

    Raises:
        DataError: tells of every column, up to `MOST_FAULTS`, that ``read`` raised a `ColumnFault` for.
    """
    found: dict[str, Value] = {}
    faults: list[str] = []
    for name in names:
        try:
            found[name] = read(name)
        except ColumnFault as fault:
            faults.append(str(fault))
    if faults:
        raise DataError(f"{origin}: {_listed(faults)}")
    return found


def _listed(faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    more = f"\n  and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
    return f"{len(faults)} columns cannot be used\n  " + "\n  ".join(faults[:MOST_FAULTS]) + more


def as_series(values: Array) -> Any:
    """Keep pandas from turning arrays of text into its own string type, in which ``None`` becomes NaN."""
    return pd.Series(values, dtype=object) if values.dtype == object else values


def typed(column: pd.Series[Any], kind: ColumnKind, *, name: str, origin: str) -> Array:
    """Return a column in its kind's type, shape ``(rows,)``; see `conform`."""
    return each_column([name], lambda _: read_column(column, kind, name), origin=origin)[name]


def read_column(column: pd.Series[Any], kind: ColumnKind, name: str) -> Array:
    """Return a column in its kind's type, shape ``(rows,)``.

    Raises:
        ColumnFault: its cells cannot be read as that.
    """
    check_plain(column, name)
    if kind == "datetime":
        return _datetimes(column, name)
    if kind == "categorical":
        return _categories(column)
    values = _numbers(column, kind, name)
    _check_finite(values, name)
    return values


def check_plain(column: pd.Series[Any], name: str) -> None:
    """Refuse what no kind can hold: complex numbers, durations, and cells that are lists or mappings.

    Raises:
        ColumnFault: what the cells are.
    """
    nested = next((cell for cell in column if isinstance(cell, NESTED)), None) if column.dtype == object else None
    if nested is not None or pd.api.types.is_complex_dtype(column.dtype) or column.dtype.kind == "m":
        got = type(nested).__name__ if nested is not None else str(column.dtype)
        raise ColumnFault(
            f"column '{name}' holds {got} cells; expected numbers, text, booleans or dates: "
            "convert the column, or name it in data.drop"
        )


def _check_present(present: list[str], schema: Schema, origin: str) -> None:
    counts = Counter(present)
    lacking = [feature.name for feature in schema.features if feature.name not in counts]
    if lacking:
        unused = set(present) - {feature.name for feature in schema.features}
        listed = "; ".join(f"'{name}'{_hint(name, unused)}" for name in lacking)
        word = "a column" if len(lacking) == 1 else f"{len(lacking)} columns"
        raise DataError(f"{origin} lacks {word} of the training table: {listed}")
    repeated = [feature.name for feature in schema.features if counts[feature.name] > 1]
    if repeated:
        raise DataError(f"{origin}: column names must differ, but {', '.join(repeated)} appears more than once")


def _hint(name: str, unused: set[str]) -> str:
    hint = nearest(name, sorted(unused)).strip()
    return f" ({hint})" if hint else ""


def _numbers(column: pd.Series[Any], kind: ColumnKind, name: str) -> Array:
    dtype = column.dtype
    if kind == "numeric" and (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
        if isinstance(dtype, np.dtype):
            return column.to_numpy().astype(np.float64) + 0.0  # a zero has no sign: equal cells must be the same number
        return column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
    read: Callable[[Any], float | None] = cells.boolean if kind == "boolean" else cells.number
    codes, values = cells.factorize(column)
    numbers = [read(value) for value in values]
    unreadable = np.array([value is None for value in numbers] + [False])
    _check_readable(unreadable[codes], column, kind, name)
    return np.array([*numbers, np.nan], dtype=np.float64)[codes] + 0.0


def _datetimes(column: pd.Series[Any], name: str) -> Array:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        utc = column.dt.tz_convert(None) if isinstance(column.dtype, pd.DatetimeTZDtype) else column
        return utc.to_numpy().astype("datetime64[us]")
    codes, values = cells.factorize(column)
    parsed = np.append(cells.datetimes(values), np.datetime64("NaT", "us"))
    unreadable = np.isnat(parsed) & np.array([not cells.is_blank(value) for value in values] + [False])
    _check_readable(unreadable[codes], column, "datetime", name)
    return parsed[codes]


def _categories(column: pd.Series[Any]) -> Array:
    codes, values = cells.factorize(column)
    texts = np.empty(len(values) + 1, dtype=object)
    texts[:-1] = [cells.category(value) for value in values]
    return texts[codes]


def _check_readable(unreadable: Array, column: pd.Series[Any], kind: ColumnKind, name: str) -> None:
    if not unreadable.any():
        return
    rows = np.flatnonzero(unreadable)
    example = column.iloc[int(rows[0])]
    raise ColumnFault(
        f"column '{name}' is {kind}, expected {EXPECTED[kind]}, but {len(rows)} of {len(column)} cells "
        f"are not, such as {cells.shown(example)} in row {rows[0] + 1}; correct the cells, or "
        f"set data.columns.{name} to another kind"
    )


def _check_finite(values: Array, name: str) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        rows = np.flatnonzero(infinite)
        raise ColumnFault(
            f"column '{name}' has {len(rows)} infinite cells, first in row {rows[0] + 1}; "
            "expected finite numbers or gaps: leave the cells empty"
        )
