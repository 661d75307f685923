"""What every path gives for a split, whatever the library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.models.recipe import Recipe
from workbench.training.material import Material, Split
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
    watched: NDArray[Any] | None = None
    """What the model predicted for the watched rows, in the units of the training; ``None`` where nobody kept it."""


def epochs_of(recipe: Recipe, material: Material) -> tuple[int, int]:
    """Return how many epochs a Keras model trains at most, and over how many a recipe's learning rate falls.

    Where nothing is watched the job's epochs are exact. They end early on the schedule then, as the watched trainings
    did whose best epochs they follow from.
    """
    job = material.job
    exact = job.epochs if job.settings.stopping == "none" else None
    limit = material.settings.epochs if exact is None else job.settings.epochs
    planned = min(recipe.epochs or limit, limit)
    epochs = exact or planned
    return epochs, max(epochs, planned)


class Fitter(Protocol):
    """Fits one configuration, one or several splits at a time."""

    weights: int
    """Trainable weights; 0 for estimators."""
    patience: int
    """Epochs or rounds without a better value before a split ends."""

    @property
    def fused(self) -> str:
        """How several splits train as one program; empty if they do not."""
        ...

    @property
    def unfused(self) -> str:
        """Why the splits of a Keras model train one after another; empty if they do not."""
        ...

    def together(self, first: Split, splits: int) -> int:
        """Return how many of so many splits train at once, told by the first of them."""
        ...

    def fit_all(self, splits: Sequence[Split], watchers: Sequence[Watcher]) -> list[FittedSplit]:
        """Fit splits at once; report each epoch or round to their watchers."""
        ...

    def remember(self) -> None:
        """Keep for later trials what they can use; all splits have been fitted."""
        ...


class OneByOne(ABC):
    """Base of fitters whose splits are fitted one after another."""

    weights: int
    patience: int
    fused = unfused = ""

    @abstractmethod
    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:
        """Fit one split; report each epoch or round to the watcher."""

    def together(self, first: Split, splits: int) -> int:  # noqa: ARG002 - the contract's signature
        """Return 1."""
        return 1

    def fit_all(self, splits: Sequence[Split], watchers: Sequence[Watcher]) -> list[FittedSplit]:
        """Fit the splits."""
        return [self.fit(split, watcher) for split, watcher in zip(splits, watchers, strict=True)]

    def remember(self) -> None:  # noqa: B027 - what most fitters do
        """Keep nothing."""
