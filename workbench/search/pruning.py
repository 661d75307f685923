"""Ending hopeless trials early: within a split by its curve, between splits by a paired comparison.

`make_pruner` reads a name and options; how the judging goes is told in `workbench.search.fold_pruning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from workbench.errors import ConfigError, nearest
from workbench.types import Direction

Ended = Literal["complete", "pruned", "failed"]

KEEP = 3
"""Between splits a trial is compared with the complete one that is so many'th best."""

NAMES = ("none", "median", "percentile", "successive_halving", "hyperband", "patient", "threshold", "wilcoxon")


@dataclass(frozen=True)
class PrunerOptions:
    """What a pruner is made from."""

    name: str
    direction: Direction
    """Of the watched metric, whose values the reports carry."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Under the names of Optuna's pruner of that name. ``keep`` is our own: so many of the best trials are safe from
    those that are better still, as a blend wants several."""


class Pruner(Protocol):
    """Judges running trials of one study by what they report. Numbers are those of the engine.

    What a trial is told depends on what was reported and restored before, not on when: a resumed search, whose trials
    are restored by rising numbers, judges as one that was not interrupted and had one worker.
    """

    def report(self, number: int, split: int, epoch: int, value: float, together: int = 1) -> str:
        """Take a split's watched value after an epoch (1-based); return why the trial should end, "" to go on.

        ``together`` splits train at once: they are judged by their mean, when all have reported the epoch; those that
        have stopped before count with their last value. A value that is not finite is no reason to prune.
        """
        ...

    def end(self, number: int, state: Ended) -> None:
        """Take note that the trial has ended; complete ones are what others are compared with, failed ones nothing."""
        ...

    def forget(self, number: int) -> None:
        """Drop what an attempt reported: the trial begins anew."""
        ...

    def restore(
        self, number: int, reports: Iterable[tuple[int, int, float]], state: Ended, *, fused: bool = False
    ) -> None:
        """Take a trial that ended in an earlier run: its (split, epoch, value) in their order, without judging them.

        Those of splits that trained at once, ``fused``, may come in any order.
        """
        ...


class NoPruner:
    """Every trial runs to its end."""

    def report(self, number: int, split: int, epoch: int, value: float, together: int = 1) -> str:  # noqa: ARG002
        """Go on."""
        return ""

    def end(self, number: int, state: Ended) -> None:
        """Ignore it."""

    def forget(self, number: int) -> None:
        """Ignore it."""

    def restore(
        self, number: int, reports: Iterable[tuple[int, int, float]], state: Ended, *, fused: bool = False
    ) -> None:
        """Ignore it."""


def make_pruner(options: PrunerOptions) -> Pruner:
    """Return the pruner of that name.

    Raises:
        ConfigError: there is none, or it has no such option, or the option has no such value.
    """
    if options.name not in NAMES:
        told = f"search.pruner: there is no pruner '{options.name}'; there are {', '.join(NAMES)}."
        raise ConfigError(told + nearest(options.name, NAMES))
    if options.name == "none":
        if options.options:
            raise ConfigError(f"search.pruner: the pruner none has no options, got {', '.join(options.options)}")
        return NoPruner()
    from workbench.search.fold_pruning import FoldPruner  # Optuna takes a moment to import.

    return FoldPruner(options)
