"""What a metric is: a function and its direction, together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.types import Direction, Needs, as_loss, better

Array = NDArray[Any]
MetricFunction = Callable[[Array, Array, Array | None], float]


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    ``function(y, prediction, weight)`` returns a float; ``weight`` is ``None`` or ``(rows,)``. ``monitor`` names the
    smoother metric that early stopping looks at instead (accuracy moves in steps, so log loss is watched).
    """

    name: str
    function: MetricFunction
    direction: Direction
    needs: Needs
    monitor: str | None = None

    def __call__(self, y: Array, prediction: Array, weight: Array | None = None) -> float:
        """Score predictions of shape ``(rows, outputs)`` against ``y`` of shape ``(rows,)``.

        NaN where no row has weight: there is nothing to take a mean of.
        """
        if weight is not None and not np.any(weight):
            return float("nan")
        value = self.function(y, as_needed(prediction, self.needs), weight)
        return float(value)

    def better(self, left: float, right: float) -> bool:
        """Say whether ``left`` is strictly better; a NaN is never better, and anything is better than it."""
        return better(self.direction, left, right)

    def loss(self, value: float) -> float:
        """Return the value oriented so that less is better, for minimisers."""
        return as_loss(self.direction, value)


def as_needed(prediction: Array, needs: Needs) -> Array:
    """Turn predictions of shape ``(rows, outputs)`` into what a metric's function takes."""
    if needs == "labels":
        return labels(prediction)
    return prediction[:, 0] if prediction.shape[1] == 1 else prediction


def labels(prediction: Array) -> Array:
    """Return class codes ``(rows,)`` of probabilities: above one half, or the largest."""
    if prediction.shape[1] == 1:
        return (prediction[:, 0] > 0.5).astype(np.int64)
    codes: Array = prediction.argmax(axis=1)
    return codes
