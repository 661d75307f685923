"""What fold plans look at beside the data set itself. It is not part of its content: the plan has a key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import ExperimentConfig
from workbench.data import cells, checks
from workbench.data.conform import as_series, read_column
from workbench.data.raw_columns import nullable
from workbench.data.schema import readable_kind
from workbench.errors import DataError

Array = NDArray[Any]
MOST_FOLDS = 100
ONLY_TRAINED = -1
"""Fold of a row that no split validates."""


@dataclass(frozen=True, eq=False)
class Planning:
    """Of the training table's own rows: the time and fold of each, and all columns as a user's function sees them.

    Of extra rows only the time matters: the future is not trained on.
    """

    time: Array | None = None
    """``(rows,)``: float64, or ``datetime64[us]``."""
    extra_time: Array | None = None
    """Those of the extra rows, in the same type."""
    fold: Array | None = None
    """``(rows,)``: codes from 0, or `ONLY_TRAINED`."""
    frame: pd.DataFrame | None = None
    """Every column but the target."""
    ids: Array | None = None
    positions: Array | None = None
    """``(rows,)``: each row's position in the table as it was read, ascending; ``None`` where none was set aside."""

    def of_rows(self, kept: Array, extra: Array) -> Planning:
        """Return that of the rows at the positions ``kept``, and of those ``extra`` rows (a mask)."""
        frame = self.frame
        return Planning(
            time=_at(self.time, kept),
            extra_time=_at(self.extra_time, extra),
            fold=None if self.fold is None else _recoded(self.fold[kept]),
            frame=None if frame is None else frame.iloc[kept].reset_index(drop=True),
            ids=_at(self.ids, kept),
            positions=kept,
        )


def _at(values: Array | None, rows: Array) -> Array | None:
    return None if values is None else values[rows]


def _recoded(fold: Array) -> Array:
    """Number the folds that are left from 0 on."""
    left = np.unique(fold[fold != ONLY_TRAINED])
    return np.where(fold == ONLY_TRAINED, ONLY_TRAINED, np.searchsorted(left, fold))


def planning(
    train: pd.DataFrame,
    config: ExperimentConfig,
    ids: Array | None,
    *,
    origin: str,
    extra: Sequence[tuple[str, pd.DataFrame]] = (),
) -> Planning:
    """Read what the configured fold plan needs of the training table, and of the extra ones by what messages call them.

    Raises:
        DataError: a column is absent, or does not hold times or folds.
    """
    data, folds = config.data, config.folds
    time = None if data.time is None else _times(train, data.time, origin)
    of_extra = [] if data.time is None or time is None else _extra_times(extra, data.time, time)
    return Planning(
        time=time,
        extra_time=np.concatenate(of_extra) if of_extra else None,
        fold=None if folds.column is None else _folds(train, folds.column, origin),
        frame=None if folds.function is None else _frame(train.drop(columns=data.target)),
        ids=ids,
    )


def fold_codes(column: pd.Series[Any], *, origin: str) -> Array:
    """Return int64 codes of the distinct values in their order; `ONLY_TRAINED` for -1 and for gaps.

    Raises:
        DataError: fewer than two folds, or more than `MOST_FOLDS`.
    """
    codes, values = cells.factorize(column)
    texts = [cells.category(value) or str(ONLY_TRAINED) for value in values]
    folds = sorted(set(texts) - {str(ONLY_TRAINED)}, key=_order)
    if not 2 <= len(folds) <= MOST_FOLDS:
        many = f"{len(folds)} distinct values" if folds else "no value but -1"
        raise DataError(
            f"{origin}: expected 2 to {MOST_FOLDS} folds, one for each distinct value, got {many}; rows that are "
            "never to be validated have -1 or an empty cell"
        )
    of_text = {text: code for code, text in enumerate(folds)}
    return np.array([*(of_text.get(text, ONLY_TRAINED) for text in texts), ONLY_TRAINED], dtype=np.int64)[codes]


def _order(text: str) -> tuple[bool, float, str]:
    value = cells.number(text)
    return (value is None, value or 0.0, text)


def _folds(train: pd.DataFrame, name: str, origin: str) -> Array:
    checks.check_column(train, name, "folds.column", origin)
    return fold_codes(train[name], origin=f"{origin}: folds.column '{name}'")


def _times(train: pd.DataFrame, name: str, origin: str) -> Array:
    checks.check_column(train, name, "data.time", origin)
    column = train[name]
    kind = readable_kind(column, name)
    if kind not in ("numeric", "datetime"):
        example = next((value for value in column.dropna() if cells.number(value) is None), "")
        raise DataError(
            f"{origin}: data.time '{name}' must hold numbers or ISO 8601 dates such as 2026-11-20 17:30:00, got "
            f"{cells.shown(example)}; rewrite the column"
        )
    values = read_column(column, kind, name)
    checks.check_gaps(pd.Series(as_series(values)), "time", name, origin, "a row without a time has no place in order")
    return values


def _extra_times(extra: Sequence[tuple[str, pd.DataFrame]], name: str, own: Array) -> list[Array]:
    times = [_times(table, name, origin) for origin, table in extra]
    for (origin, _), time in zip(extra, times, strict=True):
        if time.dtype != own.dtype:
            kinds = ["dates" if values.dtype.kind == "M" else "numbers" for values in (own, time)]
            raise DataError(
                f"{origin}: data.time '{name}' must hold {kinds[0]} as in the training table, got {kinds[1]}; rewrite "
                "the column"
            )
    return times


def _frame(train: pd.DataFrame) -> pd.DataFrame:
    """Return every column typed as feature sets see it; what no kind can hold stays as it is."""
    columns: dict[str, Any] = {}
    for name in train.columns:
        kind = readable_kind(train[name], name)
        if kind is None:
            columns[name] = train[name]
        else:
            values = pd.Series(as_series(read_column(train[name].replace([np.inf, -np.inf], np.nan), kind, name)))
            columns[name] = nullable(values) if kind == "boolean" else values
    return pd.DataFrame(columns)
