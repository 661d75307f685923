"""The target column: which task it makes, its classes in code order, and its codes or values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import cells
from workbench.errors import DataError, nearest
from workbench.types import Needs, Scalar, Schema, Task

Array = NDArray[Any]
MOST_CLASSES = 1000
"""More distinct whole numbers than this are taken for values, not for classes, unless the task says otherwise."""
MOST_FRACTIONS = 20
"""Likewise for numbers that are not whole: scores such as 1.5 may be classes, measurements may not."""


def infer_task(target: pd.Series[Any], *, task: Task | None, metric_needs: Needs) -> Task:
    """Return the task: as told, else by what the metric needs and what the target holds.

    A metric of probabilities or labels makes classes, and a metric of values makes a regression, because the metric
    is always known; a target of text or booleans is classes in any case.

    Raises:
        DataError: the target, the metric and the task that was told do not fit together.
    """
    values = distinct(target)
    named = not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if task == "regression":
        _check_regression(values, named, metric_needs)
        return "regression"
    if task is None and metric_needs == "values" and not named:
        return "regression"
    if task is None and metric_needs == "values" and any(isinstance(value, str) for value in values):
        raise DataError(
            f"target '{target.name}' holds text such as {values[0]!r}, but the metric compares numbers; "
            "choose a metric of classes such as log_loss, auc or accuracy, or turn the target into numbers"
        )
    if task is None:
        _check_classes(target, values)
    inferred: Task = "binary" if len(values) == 2 else "multiclass"
    if task is not None and task != inferred:
        raise DataError(f"task is '{task}', but target '{target.name}' has {len(values)} classes: {_shown(values)}")
    return inferred


def class_labels(target: pd.Series[Any], *, positive: Scalar | None) -> tuple[Scalar, ...]:
    """Return the classes in code order: numbers by value, text by code point, the positive class second.

    Raises:
        DataError: ``positive`` is no class of the target, or there are not two classes.
    """
    values = tuple(distinct(target))
    if positive is None:
        return values
    if len(values) != 2:
        raise DataError(f"data.positive is for two classes, but target '{target.name}' has {len(values)}")
    matches = [value for value in values if _same(value, positive)]
    if len(matches) != 1:
        raise DataError(
            f"data.positive is {positive!r}, expected a class of target '{target.name}': {_shown(values)}."
            f"{nearest(str(positive), [str(value) for value in values])}"
        )
    return (values[0] if values[1] == matches[0] else values[1], matches[0])


def encode(target: pd.Series[Any], schema: Schema, *, origin: str) -> Array:
    """Return ``y`` of shape ``(rows,)``: float64 values, or int64 codes in the order of ``schema.classes``.

    Raises:
        DataError: a label is not one of the schema's classes, or a value is no finite number.
    """
    codes, raw = cells.factorize(target)
    if schema.task == "regression":
        values = np.array([np.nan if (value := cells.number(cell)) is None else value for cell in raw] + [np.nan])
        y = values[codes]
        if not np.isfinite(y).all():
            row = int(np.flatnonzero(~np.isfinite(y))[0])
            raise DataError(
                f"{origin}: target '{schema.target}' must hold finite numbers, "
                f"got {cells.shown(target.iloc[row])} in row {row + 1}"
            )
        return y
    known = {label: code for code, label in enumerate(schema.classes)}
    labels = _alike([_plain(cell) for cell in raw], text=isinstance(schema.classes[0], str))
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise DataError(f"{origin}: target '{schema.target}' holds unknown classes: {_shown(unknown)}")
    return np.array([*(known[label] for label in labels), -1], dtype=np.int64)[codes]


def distinct(target: pd.Series[Any]) -> list[Scalar]:
    """Return the target's distinct values, sorted, as plain Python values; whole floats become ints."""
    _, raw = cells.factorize(target)
    plain = [_plain(value) for value in raw]
    texts = [isinstance(value, str) for value in plain]
    return sorted(set(_alike(plain, text=any(texts))))


def _alike(values: list[Scalar], *, text: bool) -> list[Scalar]:
    return [str(value) for value in values] if text else values


def _plain(value: Any) -> Scalar:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)


def _same(label: Scalar, wanted: Scalar) -> bool:
    """Say whether YAML's ``wanted`` means the label: YAML 1.1 reads an unquoted ``yes`` as true, ``1`` as a number."""
    if isinstance(wanted, bool) and isinstance(label, str):
        return cells.WORDS.get(label.casefold()) is wanted
    return label == wanted or str(label) == str(wanted)


def _check_regression(values: Sequence[Scalar], named: bool, metric_needs: Needs) -> None:
    if metric_needs != "values":
        raise DataError(
            f"task is 'regression', but the metric needs {metric_needs}; choose a metric of values such as rmse or "
            "mae (a function of your own: set metric.needs to 'values')"
        )
    if named and any(isinstance(value, str) and cells.number(value) is None for value in values):
        example = next(value for value in values if isinstance(value, str) and cells.number(value) is None)
        raise DataError(f"task is 'regression', expected a target of numbers, got text such as {example!r}")


def _check_classes(target: pd.Series[Any], values: Sequence[Scalar]) -> None:
    numbers = [value for value in values if not isinstance(value, str)]
    fractions = any(isinstance(value, float) for value in numbers)
    if numbers and len(values) > (MOST_FRACTIONS if fractions else MOST_CLASSES):
        raise DataError(
            f"the metric needs classes, but target '{target.name}' has {len(values)} distinct numbers; choose a metric "
            "of values such as rmse (a function of your own: set metric.needs to 'values'), or set task to 'multiclass'"
        )


def _shown(values: Sequence[Scalar], most: int = 6) -> str:
    listed = ", ".join(repr(value) for value in values[:most])
    return listed if len(values) <= most else f"{listed} and {len(values) - most} more"
