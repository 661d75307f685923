"""Categories as the mean target of their rows, cross-fitted: no row sees its own target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data.category_encodings import WIDEST, Codes
from workbench.data.prepared import Prepared
from workbench.types import InputSchema, Schema

Array = NDArray[Any]
FOLDS = 5
MOST_CLASSES = 32
"""Classes that have a column, fewer where columns times classes are more than `WIDEST`; the last ones have none."""
SMOOTHING = 10.0
"""Rows of the average target that are added to each category."""


class TargetEncoding(Codes):
    """The smoothed mean target of a category's training rows; for a multiclass task the share of each class.

    ``(sum + m * prior) / (count + m)`` with ``m`` = `SMOOTHING`: Micci-Barreca, "A preprocessing scheme for
    high-cardinality categorical attributes", SIGKDD Explorations 2001. Rare categories come near the prior, unknown
    ones are it. A regression's target is standardised first. Training rows are encoded by the other folds of the
    training rows, as scikit-learn's ``TargetEncoder.fit_transform`` does (its state is no JSON, and folds of few rows
    or one class fail in it); all others by all training rows. The folds are the same in every run.

    The folds know no groups, as preparations are not told of them: where rows of one group share a category and their
    targets are alike, training rows look better encoded than those of a new group. A feature set's transformer can
    cross-fit by group instead.
    """

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema; nothing is fitted yet."""
        super().__init__(schema)
        self._means: list[Array] = []

    @property
    def inputs(self) -> InputSchema:
        """Names of the columns, from the schema alone."""
        names = [column.name for column in self._columns]
        if self._schema.task != "multiclass":
            return InputSchema(numeric=tuple(f"{name} (target)" for name in names))
        classes = self._schema.classes[: self._classes]
        return InputSchema(numeric=tuple(f"{name} (target {label})" for name in names for label in classes))

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:
        """Fit on a conformed table and ``y`` ``(rows,)``; return the table encoded fold by fold."""
        self.fit(frame)
        codes, targets = self.codes(frame), self._targets(y)
        self._means = self._fitted_means(codes, targets)
        encoded = np.empty((len(frame), len(self.inputs.numeric)))
        fold = np.random.default_rng(0).permutation(len(frame)) % FOLDS
        for number in range(FOLDS):
            rows = fold == number
            encoded[rows] = self._encoded(codes[rows], self._fitted_means(codes[~rows], targets[~rows]))
        return Prepared.numbers(encoded)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        return Prepared.numbers(self._encoded(self.codes(frame), self._means))

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {**super().state(), "means": [table.tolist() for table in self._means]}

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the encoding that gave ``state``."""
        encoding = super().from_state(schema, state)
        encoding._means = [np.array(table) for table in state["means"]]
        return encoding

    @property
    def _classes(self) -> int:
        """Classes of a multiclass task that have columns."""
        most = min(MOST_CLASSES, WIDEST // max(1, len(self._columns)))
        return min(len(self._schema.classes), max(1, most))

    def _targets(self, y: Array) -> Array:
        """Return what is averaged: float64 ``(rows, columns of a category column)``."""
        if self._schema.task == "multiclass":
            return np.equal(y[:, None], np.arange(self._classes)).astype(np.float64)
        values = np.asarray(y, dtype=np.float64)
        if self._schema.task == "regression" and len(values):
            values = (values - values.mean()) / (values.std() or 1.0)
        return values[:, None]

    def _fitted_means(self, codes: Array, targets: Array) -> list[Array]:
        """Return the smoothed mean of each category column's codes: float64 ``(size, columns)``."""
        prior = targets.mean(axis=0) if len(targets) else np.zeros(targets.shape[1])
        tables = []
        for size, column in zip(self.sizes, codes.T, strict=True):
            counts = np.bincount(column, minlength=size)[:, None]
            sums = np.stack([np.bincount(column, weights, minlength=size) for weights in targets.T], axis=1)
            tables.append((sums + SMOOTHING * prior) / (counts + SMOOTHING))
        return tables

    def _encoded(self, codes: Array, means: list[Array]) -> Array:
        parts = [table[column] for table, column in zip(means, codes.T, strict=True)]
        return np.hstack(parts) if parts else np.empty((len(codes), 0))
