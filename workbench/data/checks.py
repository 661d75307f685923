"""The user's mistakes, told before anything is searched. Rows are counted from 1, the header not included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import DataConfig
from workbench.data import cells
from workbench.errors import DataError, nearest
from workbench.types import Scalar, Task

Array = NDArray[Any]


def check_train(train: pd.DataFrame, config: DataConfig, *, origin: str) -> None:
    """Check the columns that the configuration gives a part in, and the target.

    Raises:
        DataError: no rows; a column that ``config`` names is absent or has two parts; the target is constant or has
            gaps.
    """
    check_distinct_names(train, origin)
    parts = {"target": config.target, "id": config.id, "group": config.group, "weight": config.weight}
    named = {part: name for part, name in parts.items() if name is not None}
    for part, name in named.items():
        check_column(train, name, f"data.{part}", origin)
        twin = next((other for other, its in named.items() if its == name and other != part), None)
        if twin is not None:
            raise DataError(f"data.{part} and data.{twin} are both '{name}'; expected two different columns")
    if train.empty:
        raise DataError(f"{origin} has no rows")
    check_gaps(train[config.target], "target", config.target, origin, "remove these rows, or fill the cells")
    if train[config.target].nunique() == 1:
        only = train[config.target].iloc[0]
        raise DataError(
            f"{origin}: target '{config.target}' is {cells.shown(only)} in every row; there is nothing to predict"
        )


def check_test(test: pd.DataFrame, config: DataConfig, *, origin: str) -> None:
    """Check a table to predict: it needs rows and, if there is an id, the id's column.

    Raises:
        DataError: what is lacking. The features are checked by `workbench.data.schema.conform`.
    """
    if test.empty:
        raise DataError(f"{origin} has no rows")
    check_distinct_names(test, origin)
    if config.id is not None:
        check_column(test, config.id, "data.id", origin)


def check_extra(extra: pd.DataFrame, config: DataConfig, *, origin: str) -> None:
    """Check a table of further training rows: target, weight, group and time are those of the training table.

    Raises:
        DataError: what is lacking. The features are checked by `workbench.data.schema.conform`.
    """
    check_distinct_names(extra, origin)
    if extra.empty:
        raise DataError(f"{origin} has no rows")
    parts = {"target": config.target, "weight": config.weight, "group": config.group, "time": config.time}
    for key, name in parts.items():
        if name is not None:
            check_column(extra, name, f"data.{key}", origin)
    check_gaps(extra[config.target], "target", config.target, origin, "remove these rows, or fill the cells")


def check_ids(ids: pd.Series[Any], *, origin: str) -> None:
    """Check that every row has an identifier and none appears twice.

    Raises:
        DataError: names the column, how many cells are wrong, and the first of them.
    """
    name = str(ids.name)
    check_gaps(ids, "id", name, origin, "every row needs its identifier")
    repeated = ids.duplicated()
    if repeated.any():
        value = ids[repeated].iloc[0]
        rows = ", ".join(str(row + 1) for row in np.flatnonzero((ids == value).to_numpy())[:5])
        raise DataError(
            f"{origin}: id '{name}' must differ in every row, but {int(repeated.sum())} rows repeat one, such as "
            f"{cells.shown(value)} in rows {rows}; if it names a group of rows, set data.group instead"
        )


def check_weights(weight: Array, *, name: str, origin: str) -> None:
    """Check row weights ``(rows,)``: finite, none below 0, not all 0.

    Raises:
        DataError: names the column and the first wrong row.
    """
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        got = "nothing" if np.isnan(weight[row]) else repr(float(weight[row]))
        raise DataError(
            f"{origin}: weight '{name}' must be a number from 0 up, but {int(wrong.sum())} rows are not, "
            f"first row {row + 1}: {got}"
        )
    if not weight.any():
        raise DataError(f"{origin}: weight '{name}' is 0 in every row")


def check_groups(group: pd.Series[Any], *, origin: str) -> None:
    """Check that every row has a group.

    Raises:
        DataError: names the rows without one.
    """
    codes, values = cells.factorize(group)
    blank = np.array([*(cells.is_blank(value) for value in values), True])[codes]
    filled = group.mask(pd.Series(blank, index=group.index))
    check_gaps(filled, "group", str(group.name), origin, "fill the cells; rows without a group could leak")


_TWO_CLASSES = {
    "auc": "log_loss or accuracy",
    "average_precision": "log_loss or f1_macro",
    "f1": "f1_macro or accuracy",
}
"""Built-in metrics of a positive class, and what to choose instead for many classes."""


def check_metric(
    metric_name: str, y: Array, *, task: Task | None = None, classes: Sequence[Scalar] | None = None
) -> None:
    """Check that a built-in metric can score ``y`` of shape ``(rows,)``; ``classes`` are its labels in code order.

    Raises:
        DataError: the metric needs two classes, or many, or classes that are numbers, or values of another sign.
    """
    if task == "multiclass" and metric_name in _TWO_CLASSES:
        raise DataError(f"{metric_name} needs two classes, but the target has more; choose {_TWO_CLASSES[metric_name]}")
    if task == "binary" and metric_name.startswith("map_at_"):
        raise DataError(f"{metric_name} ranks many classes, but the target has two; choose auc or log_loss")
    text = [label for label in classes or () if isinstance(label, str)]
    if metric_name == "qwk" and text and len(classes or ()) > 2:
        raise DataError(
            f"qwk needs classes in an order, but the target holds text such as {text[0]!r}; write the classes as "
            "numbers in their order, or choose f1_macro or balanced_accuracy"
        )
    if metric_name == "rmsle":
        _check_values(y, y < 0, "rmsle needs a target from 0 up", "are below", "rmse or mae")
    if metric_name == "mape":
        _check_values(y, y == 0, "mape divides by the target", "are 0", "smape or mae")


def _check_values(y: Array, wrong: Array, need: str, what: str, advice: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        rows = f"{int(wrong.sum())} of {len(y)} rows {what}, first row {row + 1}: {float(y[row])!r}"
        raise DataError(f"{need}, but {rows}; choose {advice}")


def check_distinct_names(frame: pd.DataFrame, origin: str) -> None:
    """Check that no column's name appears twice.

    Raises:
        DataError: names those that do.
    """
    if not frame.columns.is_unique:
        repeated = ", ".join(f"'{name}'" for name in frame.columns[frame.columns.duplicated()].unique())
        raise DataError(f"{origin}: column names must differ, but {repeated} appears more than once")


def check_column(frame: pd.DataFrame, name: str, key: str, origin: str) -> None:
    """Check that a table has the column that the configuration names under ``key``.

    Raises:
        DataError: with the nearest name.
    """
    if name not in frame.columns:
        names = [str(column) for column in frame.columns]
        shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
        raise DataError(f"{origin} has no column '{name}' ({key}).{nearest(name, names)} It has: {shown}")


def check_gaps(column: pd.Series[Any], part: str, name: str, origin: str, advice: str) -> None:
    """Check that no cell is missing.

    Raises:
        DataError: how many are, in which rows, and ``advice``.
    """
    gaps = np.flatnonzero(column.isna().to_numpy())
    if len(gaps):
        rows = ", ".join(str(row + 1) for row in gaps[:5]) + (", …" if len(gaps) > 5 else "")
        raise DataError(f"{origin}: {part} '{name}' is empty in {len(gaps)} of {len(column)} rows ({rows}); {advice}")
