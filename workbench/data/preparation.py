"""From a conformed table to the arrays that models take.

Widths come from the schema, and so from the whole training table; statistics and codes are fitted in the fold. A
fitted preparation treats each row alone: rows transformed one at a time are bit for bit those of the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import raw_features as raw
from workbench.data.scaler import RobustScaler
from workbench.data.vocabulary import Vocabulary, code_size
from workbench.errors import WorkbenchError
from workbench.types import Column, InputSchema, Schema

Array = NDArray[Any]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows as models take them: ``numeric`` float64 ``(rows, p)``, ``categorical`` int32 ``(rows, q)``."""

    numeric: NDArray[np.float64]
    categorical: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numeric)

    def matrix(self) -> NDArray[np.float64]:
        """Return all columns as float64 ``(rows, p + q)``, numbers first."""
        return np.hstack([self.numeric, self.categorical], dtype=np.float64)

    def take(self, index: Index) -> Prepared:
        """Return the rows at ``index``."""
        return Prepared(self.numeric[index], self.categorical[index])


class Preparation(Protocol):
    """What a preparation does. Its name in the registry is what ``family.preparation`` says."""

    @property
    def inputs(self) -> InputSchema:
        """Names and sizes of the columns, from the schema alone."""

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:
        """Fit on a conformed table and ``y`` of shape ``(rows,)``; return the table prepared."""

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the preparation that gave ``state``."""


class ScaledPreparation:
    """For networks and linear models: robust-scaled numbers without gaps, and category codes.

    Numbers and the parts of dates are scaled (`workbench.data.scaler.RobustScaler`); booleans become -0.5 and 0.5, or
    0 where missing; a column that had gaps in the whole training table gets a further column of 0 and 1 that marks
    them; categories become codes (`workbench.data.vocabulary.Vocabulary`).
    """

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema; nothing is fitted yet."""
        self._schema = schema
        self._scaler: RobustScaler | None = None
        self._vocabularies: tuple[Vocabulary, ...] = ()

    @property
    def inputs(self) -> InputSchema:
        """Names and sizes of the columns, from the schema alone."""
        indicators = tuple(f"{name} (missing)" for name in raw.gap_names(self._schema))
        return _inputs(self._schema, raw.number_names(self._schema) + raw.boolean_names(self._schema) + indicators)

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:  # noqa: ARG002 - the contract of preparations
        """Fit on a conformed table and return it prepared; ``y`` is not looked at."""
        self._scaler = RobustScaler.fit(raw.numbers(frame, self._schema))
        self._vocabularies = _fit_vocabularies(frame, self._schema)
        return self.transform(frame)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        if self._scaler is None:
            raise WorkbenchError("a ScaledPreparation has to be fitted before it transforms")
        scaled = self._scaler.transform(raw.numbers(frame, self._schema))
        centred = np.nan_to_num(raw.booleans(frame, self._schema) - 0.5, nan=0.0)
        numeric = np.hstack([scaled, centred, raw.gaps(frame, self._schema)])
        return Prepared(numeric, _codes(frame, self._schema, self._vocabularies))

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        if self._scaler is None:
            raise WorkbenchError("a ScaledPreparation has no state before it is fitted")
        return {
            "center": list(self._scaler.center),
            "scale": list(self._scaler.scale),
            "categories": [list(vocabulary.categories) for vocabulary in self._vocabularies],
        }

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the preparation that gave ``state``."""
        preparation = cls(schema)
        preparation._scaler = RobustScaler(tuple(state["center"]), tuple(state["scale"]))
        preparation._vocabularies = _vocabularies(state)
        return preparation


class NativePreparation:
    """For boosted trees: numbers as they are, NaN where missing, and category codes.

    Dates become the same parts as in `ScaledPreparation`, booleans 0 and 1.
    """

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema; nothing is fitted yet."""
        self._schema = schema
        self._vocabularies: tuple[Vocabulary, ...] | None = None

    @property
    def inputs(self) -> InputSchema:
        """Names and sizes of the columns, from the schema alone."""
        return _inputs(self._schema, raw.number_names(self._schema) + raw.boolean_names(self._schema))

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:  # noqa: ARG002 - the contract of preparations
        """Fit on a conformed table and return it prepared; ``y`` is not looked at."""
        self._vocabularies = _fit_vocabularies(frame, self._schema)
        return self.transform(frame)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        if self._vocabularies is None:
            raise WorkbenchError("a NativePreparation has to be fitted before it transforms")
        numeric = np.hstack([raw.numbers(frame, self._schema), raw.booleans(frame, self._schema)])
        return Prepared(numeric, _codes(frame, self._schema, self._vocabularies))

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        if self._vocabularies is None:
            raise WorkbenchError("a NativePreparation has no state before it is fitted")
        return {"categories": [list(vocabulary.categories) for vocabulary in self._vocabularies]}

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the preparation that gave ``state``."""
        preparation = cls(schema)
        preparation._vocabularies = _vocabularies(state)
        return preparation


def _categorical(schema: Schema) -> tuple[Column, ...]:
    return tuple(column for column in schema.features if column.kind == "categorical")


def _inputs(schema: Schema, numeric: tuple[str, ...]) -> InputSchema:
    columns = _categorical(schema)
    return InputSchema(
        numeric=numeric,
        categorical=tuple(column.name for column in columns),
        sizes=tuple(code_size(column.size) for column in columns),
    )


def _fit_vocabularies(frame: pd.DataFrame, schema: Schema) -> tuple[Vocabulary, ...]:
    return tuple(Vocabulary.fit(frame[column.name], code_size(column.size)) for column in _categorical(schema))


def _vocabularies(state: Mapping[str, Any]) -> tuple[Vocabulary, ...]:
    return tuple(Vocabulary(tuple(categories)) for categories in state["categories"])


def _codes(frame: pd.DataFrame, schema: Schema, vocabularies: tuple[Vocabulary, ...]) -> NDArray[np.int32]:
    codes = np.empty((len(frame), len(vocabularies)), dtype=np.int32)
    for index, (column, vocabulary) in enumerate(zip(_categorical(schema), vocabularies, strict=True)):
        codes[:, index] = vocabulary.transform(frame[column.name])
    return codes
