"""How much a single column tells of the target, on rows that it was not read off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from workbench.metrics import AUC
from workbench.types import Task

Array = NDArray[Any]
BINS = 64
MOST_CODES = 2000
"""A column with more categories is not looked at: most of its rows would be seen once."""
NAMES = {"binary": "AUC", "multiclass": "skill", "regression": "R²"}
"""What `strength` measures: area under the ROC curve; the share of the majority guess's errors that is avoided; the
explained variance of the target's ranks, which no outlier can rule."""


def coded(column: pd.Series[Any]) -> Array:
    """Return a conformed column as codes ``(rows,)`` from 0 (missing): categories, or up to 64 bins of equal counts."""
    if column.dtype == object:
        return np.asarray(pd.factorize(column)[0] + 1)
    values = as_float(column.to_numpy())
    present = values[~np.isnan(values)]
    if not len(present):
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values) + 1).astype(np.int64)


def as_float(values: Array) -> Array:
    """Return numbers, or dates as numbers, as float64 with NaN for gaps."""
    if values.dtype.kind != "M":
        return values.astype(np.float64)
    return np.where(np.isnat(values), np.nan, values.astype("int64").astype(np.float64))


def strength(codes: Array, y: Array, task: Task) -> float:
    """Return how well ``codes`` ``(rows,)`` alone predict ``y`` ``(rows,)``; see `NAMES`.

    The mean (or the most frequent class) of each code is taken on one half of the rows and judged on the other, both
    ways round, so that a code of few rows has nothing to tell. NaN where it was not measured.
    """
    if codes.max() >= MOST_CODES:
        return float("nan")
    half = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    if task == "multiclass":
        return _skill(codes, y, half)
    target = y.astype(np.float64) if task == "binary" else rankdata(y) / len(y)
    predicted = np.empty(len(y))
    for seen in (half, ~half):
        predicted[~seen] = _means(codes[seen], target[seen], codes.max() + 1)[codes[~seen]]
    if task == "binary":
        return AUC.function(y, predicted, None)
    return float(1.0 - ((target - predicted) ** 2).mean() / target.var())


def _means(codes: Array, target: Array, size: int) -> Array:
    """Return the mean of each code, drawn to the whole mean by one row."""
    sums, counts = np.bincount(codes, target, size), np.bincount(codes, minlength=size)
    means: Array = (sums + target.mean()) / (counts + 1.0)
    return means


def _skill(codes: Array, y: Array, half: Array) -> float:
    classes = int(y.max()) + 1
    right = 0
    for seen in (half, ~half):
        counts = np.bincount(codes[seen] * classes + y[seen], minlength=(int(codes.max()) + 1) * classes)
        table = counts.reshape(-1, classes) + np.bincount(y[seen], minlength=classes) / len(y)  # unseen: the majority
        right += int((table.argmax(axis=1)[codes[~seen]] == y[~seen]).sum())
    base = float(np.bincount(y).max() / len(y))
    return (right / len(y) - base) / (1.0 - base) if base < 1.0 else float("nan")
