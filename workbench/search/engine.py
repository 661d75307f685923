"""What a search engine is: it is asked for values and told what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from workbench.types import Direction, Space, Values


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is made from."""

    direction: Direction
    seed: int
    startup: int = 8
    """Random trials before the sampler models the scores."""


class Engine(Protocol):
    """Chooses the next values. Made as ``factory(options)``; `workbench.testing` holds the contract as tests.

    What is suggested for a number depends on the options, the number, the space, and what was told in which order, and
    on nothing else: an interrupted search that is told its history again suggests what an uninterrupted one would.
    """

    def ask(self, number: int, space: Space) -> Values:
        """Return values for every parameter of ``space`` that is active under the values before it.

        Numbers count what a search asks for, from 0; the first one is the factory's defaults, and is not asked for.
        """
        ...

    def tell(self, number: int, values: Values, score: float | None, space: Space) -> None:
        """Take note of a trial that has ended, asked for here or not; ``score`` is ``None`` unless it is complete.

        What a person tried has a number below 0, which was never asked for.
        """
        ...


class Given:
    """The engine of a person's try: its one answer is the values that it was given."""

    def __init__(self, values: Values) -> None:
        """Keep the values."""
        self._values = values

    def ask(self, number: int, space: Space) -> Values:  # noqa: ARG002 - the contract's signature
        """Return the values."""
        return self._values

    def tell(self, number: int, values: Values, score: float | None, space: Space) -> None:
        """Learn nothing."""
