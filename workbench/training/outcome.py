"""What a split's training came to, whether it was trained now or is read from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.types import Values

Told = tuple[int, float, float | None]
"""Epoch (1-based), watched value, training loss."""

WriteBundle = Callable[[Path], None]
"""Writes a bundle into a folder that it makes."""


@dataclass(frozen=True)
class Outcome:
    """A split's predictions in original units, its score, and how to write its bundle."""

    index: int
    oof: NDArray[np.float64]
    """``(validation rows, outputs)``."""
    test: NDArray[np.float64] | None
    """``(test rows, outputs)``."""
    score: float
    best_epoch: int
    """1-based; 0 for a model without epochs."""
    epochs: int
    fit_s: float
    predict_s: float
    truncated: bool
    weights: int
    """Trainable weights; 0 for estimators."""
    values: Values
    """The hyperparameters that were asked for, by a factory's own ``fit`` too."""
    told: Sequence[Told]
    """Its learning curve, as it was reported."""
    write: WriteBundle
