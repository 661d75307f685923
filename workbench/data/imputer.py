"""Gaps filled by the median, fitted in the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class MedianImputer:
    """Missing becomes the column's lower median, a value that the column holds; 0 in an empty column."""

    medians: tuple[float, ...]

    @classmethod
    def fit(cls, values: Array) -> Self:
        """Fit on float64 ``(rows, columns)`` with NaN where missing."""
        return cls(tuple(_lower_median(column) for column in np.ascontiguousarray(values.T)))

    def transform(self, values: Array) -> Array:
        """Return float64 ``(rows, columns)`` without NaN."""
        return np.where(np.isnan(values), np.array(self.medians), values)

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {"medians": list(self.medians)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the imputer that gave ``state``."""
        return cls(tuple(state["medians"]))


def _lower_median(column: Array) -> float:
    present = column[~np.isnan(column)]
    return float(np.partition(present, (len(present) - 1) // 2)[(len(present) - 1) // 2]) if len(present) else 0.0
