"""What is made of a blend's prediction in the end: labels by thresholds, or values within the range seen.

A decision gives predictions of the same shape, such that the standard rule (`workbench.metrics.labels`: above one half,
or the largest) finds the label that was decided for. So whatever follows needs to know nothing of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from workbench.blending.calibration import as_distribution
from workbench.types import Value

Array = NDArray[Any]
HALF = 0.5
TINY = float(np.finfo(np.float64).tiny)


class Threshold(Value):
    """The positive class above a probability of ``at``; below 0 it is always positive, from 1 on never."""

    kind: Literal["threshold"] = "threshold"
    at: float

    def apply(self, prediction: Array) -> Array:
        """Return ``(rows, 1)``: probabilities bent so that one half is where ``at`` was, in the same order."""
        p = np.asarray(prediction, dtype=np.float64)  # single precision would round `at`
        low = HALF * p / max(self.at, TINY)
        high = HALF + HALF * (p - self.at) / max(1.0 - self.at, TINY)
        result: Array = np.where(p > self.at, np.clip(high, np.nextafter(HALF, 1.0), 1.0), np.clip(low, 0.0, HALF))
        return result


class ClassFactors(Value):
    """The class with the largest probability times its factor."""

    kind: Literal["class_factors"] = "class_factors"
    factors: tuple[float, ...]

    def apply(self, prediction: Array) -> Array:
        """Return probabilities ``(rows, classes)``."""
        weighted = prediction * np.asarray(self.factors)
        result = as_distribution(weighted)
        rows, codes = np.arange(len(result)), weighted.argmax(axis=1)
        tied = result.argmax(axis=1) != codes  # dividing by the sum made equals of two that are not
        result[rows[tied], codes[tied]] = np.nextafter(result[tied].max(axis=1), 2.0)
        return result


class CutPoints(Value):
    """Ordered classes: the expected position of the class, cut into intervals. The label gets all probability."""

    kind: Literal["cut_points"] = "cut_points"
    cuts: tuple[float, ...]
    """Rising, one less than there are classes."""

    def apply(self, prediction: Array) -> Array:
        """Return ``(rows, classes)`` with 1 at the label."""
        codes = np.searchsorted(np.asarray(self.cuts), expected_position(prediction))
        result: Array = np.eye(len(self.cuts) + 1)[codes]
        return result


class Clip(Value):
    """Values within the range that targets were seen in."""

    kind: Literal["clip"] = "clip"
    low: float
    high: float

    def apply(self, prediction: Array) -> Array:
        """Return ``(rows, 1)``."""
        result: Array = np.clip(prediction, self.low, self.high)
        return result


Decision = Annotated[Threshold | ClassFactors | CutPoints | Clip, Field(discriminator="kind")]
"""Each has ``apply(prediction)``."""


def expected_position(prediction: Array) -> Array:
    """Return the mean position ``(rows,)`` of the class under probabilities ``(rows, classes)``."""
    result: Array = as_distribution(prediction) @ np.arange(prediction.shape[1])
    return result
