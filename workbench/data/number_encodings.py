"""The numeric half of a preparation: numbers, the parts of dates, booleans and their gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import raw_features as raw
from workbench.data.imputer import MedianImputer
from workbench.data.prepared import Prepared
from workbench.data.quantiles import NormalQuantiles
from workbench.data.scaler import RobustScaler
from workbench.errors import WorkbenchError
from workbench.types import InputSchema, Schema

Array = NDArray[Any]
LARGEST = float(np.finfo(np.float32).max)
"""Forests and XGBoost see float32, in which a larger number is infinite: they would refuse the table."""


class RawNumbers:
    """Numbers as they are up to `LARGEST`, booleans as 0 and 1, NaN where missing."""

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema."""
        self._schema = schema

    @property
    def inputs(self) -> InputSchema:
        """Names of the columns, from the schema alone."""
        return InputSchema(numeric=raw.number_names(self._schema) + raw.boolean_names(self._schema))

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:  # noqa: ARG002 - the contract of preparations
        """Return a conformed table prepared; there is nothing to fit."""
        return self.transform(frame)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Return a conformed table prepared."""
        return _within_float32(np.hstack([raw.numbers(frame, self._schema), raw.booleans(frame, self._schema)]))

    def state(self) -> dict[str, Any]:
        """Return an empty mapping."""
        return {}

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:  # noqa: ARG003 - the contract
        """Return the encoding of a schema."""
        return cls(schema)


class Scaling(Protocol):
    """What maps float64 ``(rows, columns)`` with gaps to the same shape without, fitted in the fold."""

    @classmethod
    def fit(cls, values: Array) -> Self:
        """Fit on the training rows."""

    def transform(self, values: Array) -> Array:
        """Return the values mapped."""

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return what gave ``state``."""


class DenseNumbers:
    """Numbers without gaps.

    Numbers and the parts of dates go through ``scaling``; booleans become -0.5 and 0.5, or 0 where missing; a column
    that had gaps in the whole training table gets a further column of 0 and 1 that marks them.
    """

    scaling: ClassVar[type[Scaling]]

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema; nothing is fitted yet."""
        self._schema = schema
        self._fitted: Scaling | None = None

    @property
    def inputs(self) -> InputSchema:
        """Names of the columns, from the schema alone."""
        indicators = tuple(f"{name} (missing)" for name in raw.gap_names(self._schema))
        return InputSchema(numeric=raw.number_names(self._schema) + raw.boolean_names(self._schema) + indicators)

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:  # noqa: ARG002 - the contract of preparations
        """Fit on a conformed table and return it prepared; ``y`` is not looked at."""
        self._fitted = self.scaling.fit(raw.numbers(frame, self._schema))
        return self.transform(frame)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        scaled = self._known().transform(raw.numbers(frame, self._schema))
        centred = np.nan_to_num(raw.booleans(frame, self._schema) - 0.5, nan=0.0)
        return Prepared.numbers(np.hstack([scaled, centred, raw.gaps(frame, self._schema)]))

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return self._known().state()

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the encoding that gave ``state``."""
        encoding = cls(schema)
        encoding._fitted = cls.scaling.from_state(state)
        return encoding

    def _known(self) -> Scaling:
        if self._fitted is None:
            raise WorkbenchError(f"{type(self).__name__} has nothing fitted yet; call fit_transform first")
        return self._fitted


class ScaledNumbers(DenseNumbers):
    """Numbers scaled robustly and clipped smoothly into (-3, 3)."""

    scaling = RobustScaler


class ImputedNumbers(DenseNumbers):
    """Numbers as they are up to `LARGEST`, gaps filled by the median."""

    scaling = MedianImputer

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        return _within_float32(super().transform(frame).numeric)


class QuantileNumbers(DenseNumbers):
    """Numbers as normal quantiles."""

    scaling = NormalQuantiles


def _within_float32(values: Array) -> Prepared:
    """Return a new array, whose cells are cut in place, as rows."""
    return Prepared.numbers(np.clip(values, -LARGEST, LARGEST, out=values))
