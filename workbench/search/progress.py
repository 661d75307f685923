"""What a search tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from workbench.types import Failure, TrialState


@dataclass(frozen=True)
class LaneProgress:
    """How far a family is."""

    family: str
    done: int
    total: int
    failed: int
    running: int
    best: float | None
    """Best score so far, in the metric's units."""


@dataclass(frozen=True)
class Progress:
    """How far a search is; ``seconds_left`` is an estimate, ``None`` before the first trial has ended."""

    lanes: tuple[LaneProgress, ...]
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class TrialNews:
    """A trial that has just ended."""

    name: str
    state: TrialState
    score: float | None
    score_se: float | None
    seconds: float
    failure: Failure | None


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
