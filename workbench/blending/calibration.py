"""Probabilities made to mean what they say: maps that are fitted on a blend's out-of-fold predictions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from workbench.blending.weighted import into, out_of
from workbench.types import Value

Array = NDArray[Any]


class Temperature(Value):
    """Log-odds times ``scale``: below 1 where the blend was too sure of itself (Guo et al., 2017)."""

    kind: Literal["temperature"] = "temperature"
    scale: float

    def apply(self, prediction: Array) -> Array:
        """Return probabilities ``(rows, outputs)``."""
        return out_of(self.scale * into(prediction, "logit"), "logit")


class Isotonic(Value):
    """A rising map of each class' probability, linear between its knots (Zadrozny and Elkan, 2002)."""

    kind: Literal["isotonic"] = "isotonic"
    knots: tuple[tuple[float, ...], ...]
    """Of each output: probabilities, rising."""
    levels: tuple[tuple[float, ...], ...]
    """Of each output: what they become."""

    def apply(self, prediction: Array) -> Array:
        """Return probabilities ``(rows, outputs)``; of several classes they sum to 1 again."""
        mapped = np.column_stack(
            [
                np.interp(column, knots, levels)
                for column, knots, levels in zip(prediction.T, self.knots, self.levels, strict=True)
            ]
        )
        return mapped if mapped.shape[1] == 1 else as_distribution(mapped)


Calibration = Annotated[Temperature | Isotonic, Field(discriminator="kind")]
"""Each has ``apply(prediction)``."""


def as_distribution(parts: Array) -> Array:
    """Return rows ``(rows, classes)`` that sum to 1, without negative parts; equal ones where nothing is positive."""
    parts = np.maximum(parts, 0.0)
    total = parts.sum(axis=1, keepdims=True)
    safe = np.where(total > 0.0, total, 1.0)
    result: Array = np.where(total > 0.0, parts / safe, 1.0 / parts.shape[1])
    return result
