"""What a search tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from workbench.types import Failure, Stage, TrialState


@dataclass(frozen=True)
class LaneProgress:
    """How far a family is."""

    family: str
    done: int
    total: int
    failed: int
    running: int
    best: float | None
    """Best score so far of a whole trial, in the metric's units."""
    pruned: int = 0
    screened: int = 0
    """Ended with a screening, and are not promoted so far."""


@dataclass(frozen=True)
class Progress:
    """How far a search is; ``seconds_left`` is an estimate, ``None`` before the first trial has ended."""

    lanes: tuple[LaneProgress, ...]
    seconds: float
    seconds_left: float | None
    workers: str = ""
    """What works on it, such as ``4 workers, 1 core each``."""


@dataclass(frozen=True)
class TrialNews:
    """A trial that has just ended."""

    name: str
    state: TrialState
    score: float | None
    """Of a screened trial the score of what was evaluated: it compares with other screenings only."""
    score_se: float | None
    seconds: float
    failure: Failure | None
    message: str = ""
    """Of a pruned trial: where and why, such as ``split 2, epoch 7: worse than the median``."""
    stage: Stage = "whole"
    batch_scale: float = 1.0
    """Below 1 where memory was short."""


class Observer(Protocol):
    """Somebody who watches a sweep."""

    def phase(self, text: str) -> None:
        """A new part of the story begins."""
        ...

    def progress(self, progress: Progress) -> None:
        """The search has moved; called at most a few times a second."""
        ...

    def trial(self, news: TrialNews) -> None:
        """A trial has ended."""
        ...

    def notice(self, text: str) -> None:
        """Something that the user should know, once."""
        ...


class Silent:
    """An observer that does not look."""

    def phase(self, text: str) -> None:
        """Ignore it."""

    def progress(self, progress: Progress) -> None:
        """Ignore it."""

    def trial(self, news: TrialNews) -> None:
        """Ignore it."""

    def notice(self, text: str) -> None:
        """Ignore it."""
