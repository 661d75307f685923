"""What every preparation starts from: a conformed table as numbers and categories, nothing fitted yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.types import Schema

Array = NDArray[Any]
DAY_US = 86_400_000_000

DATE_PARTS: dict[str, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "days": lambda dates: pd.Series(dates.to_numpy().astype("datetime64[us]").view("int64") / DAY_US),
    "year": lambda dates: dates.dt.year,
    "month": lambda dates: dates.dt.month,
    "weekday": lambda dates: dates.dt.day_of_week,
    "hour": lambda dates: dates.dt.hour,
}
"""Numbers of a date: days since 1970 with the time of day as a fraction, year, month 1..12, weekday 0..6 from Monday,
hour 0..23."""


def number_names(schema: Schema) -> tuple[str, ...]:
    """Return the names of numeric columns and of each datetime's parts, in the schema's order."""
    names: list[str] = []
    for column in schema.features:
        if column.kind == "numeric":
            names.append(column.name)
        elif column.kind == "datetime":
            names.extend(f"{column.name}.{part}" for part in DATE_PARTS)
    return tuple(names)


def numbers(frame: pd.DataFrame, schema: Schema) -> Array:
    """Return the columns of `number_names`: float64 ``(rows, names)``, NaN where missing."""
    columns: list[Array] = []
    if all(column.kind != "datetime" for column in schema.features):
        return _block(frame, number_names(schema))
    for column in schema.features:
        if column.kind == "numeric":
            columns.append(frame[column.name].to_numpy())
        elif column.kind == "datetime":
            dates = frame[column.name]
            gaps = dates.isna().to_numpy()
            columns.extend(_date_part(dates, part, gaps) for part in DATE_PARTS.values())
    return _stack(columns, len(frame))


def _date_part(dates: pd.Series[Any], part: Callable[[pd.Series[Any]], pd.Series[Any]], gaps: Array) -> Array:
    return np.where(gaps, np.nan, part(dates).to_numpy(dtype=np.float64, na_value=np.nan))


def boolean_names(schema: Schema) -> tuple[str, ...]:
    """Return the names of boolean columns."""
    return tuple(column.name for column in schema.features if column.kind == "boolean")


def booleans(frame: pd.DataFrame, schema: Schema) -> Array:
    """Return the boolean columns: float64 ``(rows, names)`` of 0, 1 and NaN."""
    return _block(frame, boolean_names(schema))


def gap_names(schema: Schema) -> tuple[str, ...]:
    """Return the names of numeric and datetime columns that had gaps in the whole training table."""
    kinds = ("numeric", "datetime")
    return tuple(column.name for column in schema.features if column.kind in kinds and column.missing)


def gaps(frame: pd.DataFrame, schema: Schema) -> Array:
    """Return 1.0 where a column of `gap_names` is missing, else 0.0: float64 ``(rows, names)``."""
    names = list(gap_names(schema))
    return frame[names].isna().to_numpy(dtype=np.float64) if names else np.empty((len(frame), 0))


def _block(frame: pd.DataFrame, names: tuple[str, ...]) -> Array:
    """Return float64 columns at once: a table of a thousand columns is not walked through column by column."""
    return frame[list(names)].to_numpy(dtype=np.float64) if names else np.empty((len(frame), 0))


def _stack(columns: list[Array], rows: int) -> Array:
    stacked = np.empty((rows, len(columns)), dtype=np.float64)
    for index, column in enumerate(columns):
        stacked[:, index] = column
    return stacked
