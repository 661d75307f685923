"""What a search engine is: it is asked for values and told what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from workbench.types import Direction, Space, Values


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is made from."""

    direction: Direction
    """Of the first objective, the score."""
    seed: int
    startup: int = 8
    """Random trials before the sampler models the scores."""
    sampler: str = "auto"
    """Which of the engine's ways to choose: names are the engine's own."""
    others: tuple[Direction, ...] = ()
    """Directions of further objectives."""
    epochs: int = 100
    """Most epochs of a trial, for engines that begin with few."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Of all objectives."""
        return (self.direction, *self.others)


@dataclass(frozen=True)
class Suggestion:
    """What to try."""

    values: Values
    epochs: int | None = None
    """At most so many; ``None`` leaves it to the training."""
    state: dict[str, Any] = field(default_factory=dict)
    """What the engine wants to be told with the trial's outcome; JSON, kept by the ledger."""


@dataclass(frozen=True)
class Outcome:
    """What became of a trial."""

    suggestion: Suggestion
    state: Literal["complete", "pruned", "failed"]
    objectives: tuple[float, ...] = ()
    """One for each direction where the trial is complete; a screening's score counts as a complete one's."""
    steps: int = 0
    """Of a pruned trial: how many epochs were reported."""
    last: float | None = None
    """Of a pruned trial: the mean over splits of their last watched values."""


class Engine(Protocol):
    """Chooses the next values. Made as ``factory(options)``; `workbench.testing` holds the contract as tests.

    What is suggested for a number depends on the options, the number, the space, what was asked for and has not ended,
    and what was told, and on nothing else: an interrupted search that is told its history again, by rising numbers,
    suggests what an uninterrupted one would. State beyond that goes into `Suggestion.state`.
    """

    def ask(self, number: int, space: Space) -> Suggestion | None:
        """Return values for every parameter of ``space`` that is active under the values before it.

        Numbers count what a search asks for, from 0; the first one is the factory's defaults, and is not asked for.
        ``None`` says that there is nothing (more) to try now.
        """
        ...

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Take note of a trial that has ended, asked for here or not.

        What a person tried has a number below 0, which was never asked for.
        """
        ...


class Given:
    """The engine of a person's try: its one answer is the values that it was given."""

    def __init__(self, values: Values) -> None:
        """Keep the values."""
        self._values = values

    def ask(self, number: int, space: Space) -> Suggestion:  # noqa: ARG002 - the contract's signature
        """Return the values."""
        return Suggestion(self._values)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Learn nothing."""
