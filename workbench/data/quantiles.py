"""Numbers as quantiles of the normal distribution, fitted in the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
MOST_LANDMARKS = 256
"""Values of a column whose quantiles are kept; between them the quantile is interpolated."""


@dataclass(frozen=True)
class NormalQuantiles:
    """Each number becomes the normal quantile of its rank in the training rows, missing becomes 0: the median.

    The rank-based inverse normal transform (van der Waerden, 1952): the ``i``-th smallest of ``n`` numbers becomes the
    quantile of ``(i - 1/2) / n``, equal numbers that of their mean rank, numbers outside of the range that of its end.
    scikit-learn's ``QuantileTransformer`` gives the smallest number -5.2 however many share it, which is far out for a
    column that is mostly 0.
    """

    values: tuple[tuple[float, ...], ...]
    """Landmarks of each column, rising."""
    scores: tuple[tuple[float, ...], ...]
    """Their normal quantiles."""

    @classmethod
    def fit(cls, values: Array) -> Self:
        """Fit on float64 ``(rows, columns)`` with NaN where missing."""
        fitted = [_landmarks(column) for column in np.ascontiguousarray(values.T)]
        return cls(tuple(landmarks for landmarks, _ in fitted), tuple(scores for _, scores in fitted))

    def transform(self, values: Array) -> Array:
        """Return float64 ``(rows, columns)`` without NaN."""
        result = np.zeros(values.shape)
        for index, (landmarks, scores) in enumerate(zip(self.values, self.scores, strict=True)):
            present = ~np.isnan(values[:, index])
            if landmarks:
                with np.errstate(over="ignore"):
                    result[present, index] = np.interp(values[present, index], landmarks, scores)
        return result

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {"values": [list(column) for column in self.values], "scores": [list(column) for column in self.scores]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the quantiles that gave ``state``."""
        return cls(tuple(map(tuple, state["values"])), tuple(map(tuple, state["scores"])))


def _landmarks(column: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    present = column[~np.isnan(column)]
    distinct, counts = np.unique(present, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2.0) / max(1, len(present))
    kept = np.unique(np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_LANDMARKS)).round().astype(int))
    normal = NormalDist()
    return tuple(distinct[kept].tolist()), tuple(normal.inv_cdf(rank) for rank in ranks[kept].tolist())
