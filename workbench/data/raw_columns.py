"""The table as feature sets see it: features and the columns that models ignore, in the training table's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.conform import ColumnFault, as_series, conform, read_column
from workbench.types import Column, Schema


@dataclass(frozen=True)
class Others:
    """The columns beside the features that feature sets see."""

    schema: Schema
    """The schema, without `Column.cells` for the columns that were left out."""
    train: pd.DataFrame
    test: pd.DataFrame | None
    notices: tuple[str, ...]


def raw_schema(schema: Schema) -> Schema:
    """Return the schema of the table that feature sets see: ignored columns with cells are of the cells' kind."""

    def seen(column: Column) -> Column:
        return column if column.cells is None else column.model_copy(update={"kind": column.cells, "cells": None})

    return schema.model_copy(update={"columns": tuple(seen(column) for column in schema.columns)})


def raw_rows(rows: pd.DataFrame, schema: Schema, *, origin: str) -> pd.DataFrame:
    """Return rows of any table as feature sets see them; see `raw_frame`.

    Raises:
        DataError: as `workbench.data.conform.conform`, of every column of `raw_schema`.
    """
    seen = raw_schema(schema)
    return raw_frame(conform(rows, seen, origin=origin), pd.DataFrame(), schema)


def raw_frame(features: pd.DataFrame, others: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return conformed features and other columns as one table in the schema's order.

    Numbers are float64, dates ``datetime64[us]``, text ``object`` (``str`` or ``None``), booleans pandas' ``boolean``.
    """
    parts = {str(name): part for frame in (features, others) for name, part in frame.items()}
    columns = {
        column.name: nullable(parts[column.name]) if column.kind == "boolean" else parts[column.name]
        for column in raw_schema(schema).features
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(features)))


def nullable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a conformed boolean column, 0.0, 1.0 and NaN, as pandas' ``boolean``."""
    values = column.to_numpy()
    return pd.Series(pd.arrays.BooleanArray(values == 1.0, np.isnan(values)))


def other_columns(
    train: pd.DataFrame, test: pd.DataFrame | None, schema: Schema, extra: Sequence[pd.DataFrame] = ()
) -> Others:
    """Conform what models ignore and both tables have; the rows of ``extra`` follow those of ``train``.

    A column whose cells cannot be typed in all tables is left out with a notice: models do not need it, and a feature
    set that does is told that there is no such column. A column that an extra table lacks is empty there.
    """
    made: list[dict[str, Any]] = [{}, {}]
    columns, notices = [], []
    for column in schema.columns:
        try:
            parts = _read(train, test, extra, column)
        except ColumnFault as fault:
            parts = []
            notices.append(f"feature sets do not see a column that models ignore: {fault}")
        for of_table, part in zip(made, parts, strict=False):
            of_table[column.name] = part
        columns.append(column if parts else column.model_copy(update={"cells": None}))
    rows = len(train) + sum(len(table) for table in extra)
    return Others(
        schema=schema.model_copy(update={"columns": tuple(columns)}),
        train=pd.DataFrame(made[0], index=pd.RangeIndex(rows)),
        test=None if test is None else pd.DataFrame(made[1], index=pd.RangeIndex(len(test))),
        notices=tuple(notices),
    )


def _read(
    train: pd.DataFrame, test: pd.DataFrame | None, extra: Sequence[pd.DataFrame], column: Column
) -> list[pd.Series[Any]]:
    """Return an ignored column of the training rows and of the test table, or nothing where one lacks it.

    Raises:
        ColumnFault: its cells are not in all tables what they are in the first.
    """
    kind, name = column.cells, column.name
    if kind is None or name not in train or (test is not None and name not in test):
        return []

    def read(table: pd.DataFrame) -> pd.Series[Any]:
        cells = table[name] if name in table else pd.Series([None] * len(table), dtype=object)
        return pd.Series(as_series(read_column(cells, kind, name)))

    first = read(train) if not extra else pd.concat([read(train), *map(read, extra)], ignore_index=True)
    return [first] if test is None else [first, read(test)]
