"""From a conformed table to the arrays that models take.

Widths come from the schema, and so from the whole training table; statistics and codes are fitted in the fold. A
fitted preparation treats each row alone: rows transformed one at a time are bit for bit those of the whole table.
A built-in preparation is two encodings side by side: one of the numbers, one of the categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import pandas as pd
from numpy.typing import NDArray

from workbench.data.category_encodings import Codes, OneHot
from workbench.data.number_encodings import ImputedNumbers, QuantileNumbers, RawNumbers, ScaledNumbers
from workbench.data.prepared import Prepared
from workbench.data.target_encoding import TargetEncoding
from workbench.errors import WorkbenchError
from workbench.types import InputSchema, Schema

__all__ = [
    "JoinedPreparation",
    "NativePreparation",
    "OneHotPreparation",
    "OrdinalPreparation",
    "Preparation",
    "Prepared",
    "QuantilePreparation",
    "ScaledPreparation",
    "TargetPreparation",
]

Array = NDArray[Any]

VERSION = 1
"""Of what the built-in preparations compute; raised when one of them would prepare the same rows differently."""


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


class JoinedPreparation:
    """Encodings of some of the columns side by side; each is a preparation, and their states share no key."""

    encodings: ClassVar[tuple[type[Any], ...]]
    """Types of the encodings, which are made from a schema."""

    def __init__(self, schema: Schema) -> None:
        """Take the widths from a schema; nothing is fitted yet."""
        self._parts: tuple[Preparation, ...] = tuple(encoding(schema) for encoding in self.encodings)
        self._fitted = False

    @property
    def inputs(self) -> InputSchema:
        """Names and sizes of the columns, from the schema alone."""
        parts = [part.inputs for part in self._parts]
        return InputSchema(
            numeric=tuple(name for part in parts for name in part.numeric),
            categorical=tuple(name for part in parts for name in part.categorical),
            sizes=tuple(size for part in parts for size in part.sizes),
        )

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:
        """Fit on a conformed table and ``y`` ``(rows,)``; return the table prepared."""
        prepared = Prepared.joined([part.fit_transform(frame, y) for part in self._parts])
        self._fitted = True
        return prepared

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        if not self._fitted:
            raise WorkbenchError(f"a {type(self).__name__} has to be fitted before it transforms")
        return Prepared.joined([part.transform(frame) for part in self._parts])

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        if not self._fitted:
            raise WorkbenchError(f"a {type(self).__name__} has no state before it is fitted")
        return {key: value for part in self._parts for key, value in part.state().items()}

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the preparation that gave ``state``."""
        preparation = cls(schema)
        preparation._parts = tuple(encoding.from_state(schema, state) for encoding in cls.encodings)
        preparation._fitted = True
        return preparation


class ScaledPreparation(JoinedPreparation):
    """``scaled``, for networks: numbers scaled robustly and clipped smoothly, gaps marked; codes of categories."""

    encodings = (ScaledNumbers, Codes)


class NativePreparation(JoinedPreparation):
    """``native``, for boosted trees: numbers as they are, NaN where missing; codes of categories."""

    encodings = (RawNumbers, Codes)


class OneHotPreparation(JoinedPreparation):
    """``one_hot``, for linear models and distances: numbers as in ``scaled``; a column for each frequent category."""

    encodings = (ScaledNumbers, OneHot)


class OrdinalPreparation(JoinedPreparation):
    """``ordinal``, for trees that know no gaps: medians in gaps, which are marked; codes of categories."""

    encodings = (ImputedNumbers, Codes)


class QuantilePreparation(JoinedPreparation):
    """``quantile``, for networks: numbers as normal quantiles, gaps marked; codes of categories."""

    encodings = (QuantileNumbers, Codes)


class TargetPreparation(JoinedPreparation):
    """``target``, for categories of many values: medians in gaps, which are marked; the target's mean by category."""

    encodings = (ImputedNumbers, TargetEncoding)
