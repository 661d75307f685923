"""Robust scaling of numbers, fitted in the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BOUND = 1e9
"""Scaled values are cut here before they are squared; the smooth clipping gives 3 long before."""


@dataclass(frozen=True)
class RobustScaler:
    """Centre by the median, divide by the interquartile range, clip smoothly into (-3, 3), missing becomes 0.

    The clipping ``x / sqrt(1 + (x / 3)^2)`` is that of RealMLP (Holzmüller, Grinsztajn and Steinwart, "Better by
    default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024). A column whose quartiles are equal
    is divided by its standard deviation, a constant or empty one by 1. Missing values become 0: that is the median.
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, values: Array) -> Self:
        """Fit on float64 ``(rows, columns)`` with NaN where missing."""
        fitted = [_center_and_scale(column) for column in np.ascontiguousarray(values.T)]
        return cls(tuple(center for center, _ in fitted), tuple(scale for _, scale in fitted))

    def transform(self, values: Array) -> Array:
        """Return float64 ``(rows, columns)`` in [-3, 3]."""
        with np.errstate(over="ignore"):
            scaled: Array = values - np.array(self.center)
            scaled /= np.array(self.scale)
        np.clip(scaled, -BOUND, BOUND, out=scaled)
        root = scaled / 3.0
        np.square(root, out=root)
        root += 1.0
        np.sqrt(root, out=root)
        scaled /= root
        scaled[np.isnan(scaled)] = 0.0
        return scaled

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {"center": list(self.center), "scale": list(self.scale)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the scaler that gave ``state``."""
        return cls(tuple(state["center"]), tuple(state["scale"]))


def _center_and_scale(column: Array) -> tuple[float, float]:
    present = column[~np.isnan(column)]
    if len(present) == 0:
        return 0.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        quartiles = np.percentile(present, (25.0, 50.0, 75.0))
        if not np.isfinite(quartiles).all():  # interpolating between huge values of either sign overflows
            quartiles = np.percentile(present, (25.0, 50.0, 75.0), method="lower")
        low, center, high = quartiles.tolist()
        spreads = (high - low, float(present.std()), 1.0)
    return center, next(spread for spread in spreads if np.isfinite(spread) and spread > 0.0)
