"""Ending hopeless trials early: within a split by its curve, between splits by a paired comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from workbench.types import Direction


@dataclass(frozen=True)
class PrunerOptions:
    """What a pruner is made from."""

    name: str
    direction: Direction
    """Of the watched metric, whose values the reports carry."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Under the names of Optuna's pruner of that name."""


class Pruner(Protocol):
    """Judges running trials of one study by what they report. Numbers are those of the engine."""

    def report(self, number: int, split: int, epoch: int, value: float, together: int = 1) -> bool:
        """Take a split's watched value after an epoch (1-based); return whether the trial should end.

        ``together`` splits train at once: they are judged by their mean, when all have reported the epoch.
        """
        ...

    def end(self, number: int, state: Literal["complete", "pruned", "failed"]) -> None:
        """Take note that the trial has ended; complete ones are what others are compared with."""
        ...

    def forget(self, number: int) -> None:
        """Drop what an attempt reported: the trial begins anew."""
        ...


class NoPruner:
    """Every trial runs to its end."""

    def report(self, number: int, split: int, epoch: int, value: float, together: int = 1) -> bool:  # noqa: ARG002
        """Go on."""
        return False

    def end(self, number: int, state: Literal["complete", "pruned", "failed"]) -> None:
        """Ignore it."""

    def forget(self, number: int) -> None:
        """Ignore it."""


def make_pruner(options: PrunerOptions) -> Pruner:  # noqa: ARG001 - until there are others
    """Return the pruner of that name.

    Raises:
        ConfigError: there is none, or it has no such option.
    """
    return NoPruner()
