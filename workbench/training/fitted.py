"""What every path gives for a split, whatever the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.training.material import Split
from workbench.training.watcher import Watcher


class FoldModel(Protocol):
    """A fitted model of one split, in the units that it was trained in."""

    kind: str
    """Name of the format, by which `workbench.training.bundle` finds the loader."""

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)``."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder, without pickle."""
        ...


@dataclass(frozen=True)
class FittedSplit:
    """A split's model and how long it trained; ``best_epoch`` 0 means a model without epochs."""

    model: FoldModel
    best_epoch: int = 0
    epochs: int = 0


class Fitter(Protocol):
    """Fits one configuration split by split."""

    weights: int
    """Trainable weights; 0 for estimators."""
    patience: int
    """Epochs or rounds without a better value before a split ends."""

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Fit one split; report each epoch or round to the watcher."""
        ...
