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
        """Return values for every parameter of ``space`` that is active under the values before it."""
        ...

    def tell(self, number: int, values: Values, score: float | None, space: Space) -> None:
        """Take note of a trial that has ended, asked for here or not; ``score`` is ``None`` unless it is complete."""
        ...
