"""How members' predictions become one: every kind, and those that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from workbench.blending.stacks import BoostedStack, LinearStack
from workbench.blending.weighted import Ranked, Weighted, normed
from workbench.types import Value

Array = NDArray[Any]


class Average(Value):
    """The mean of several mixes of the same members: bags."""

    kind: Literal["average"] = "average"
    mixes: tuple[Mix, ...]

    def apply(self, predictions: Array, features: Array | None = None) -> Array:
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        total = np.zeros(predictions.shape[1:])
        for mix in self.mixes:
            total += mix.apply(predictions, features)
        return total / len(self.mixes)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(np.mean([mix.shares() for mix in self.mixes], axis=0))

    def take(self, order: Sequence[int]) -> Average:
        """Return the mix of the members ``order`` alone, in this order."""
        return self.model_copy(update={"mixes": tuple(mix.take(order) for mix in self.mixes)})


class Levels(Value):
    """Mixes of mixes: what those of the first level predict are the members of ``then``."""

    kind: Literal["levels"] = "levels"
    first: tuple[Mix, ...]
    then: Mix

    def apply(self, predictions: Array, features: Array | None = None) -> Array:
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        return self.then.apply(np.stack([mix.apply(predictions, features) for mix in self.first]), features)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(self.then.shares() @ np.stack([mix.shares() for mix in self.first]))

    def take(self, order: Sequence[int]) -> Levels:
        """Return the mix of the members ``order`` alone, in this order."""
        return self.model_copy(update={"first": tuple(mix.take(order) for mix in self.first)})


class Chosen(Value):
    """A mix of some of the members: the ones at ``places`` of ``count``."""

    kind: Literal["chosen"] = "chosen"
    places: tuple[int, ...]
    count: int
    mix: Mix

    def apply(self, predictions: Array, features: Array | None = None) -> Array:
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        return self.mix.apply(predictions[list(self.places)], features)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        shares = np.zeros(self.count)
        shares[list(self.places)] = self.mix.shares()
        return shares

    def take(self, order: Sequence[int]) -> Mix:
        """Return the mix of the members ``order`` alone, in this order; others than its own must not be among them."""
        own = {place: i for i, place in enumerate(self.places)}
        return self.mix.take([own[place] for place in order])


Mix = Annotated[Weighted | Ranked | LinearStack | BoostedStack | Average | Levels | Chosen, Field(discriminator="kind")]
"""Each has ``apply(predictions, features)``, ``shares()`` and ``take(order)``."""

Average.model_rebuild()
Levels.model_rebuild()
Chosen.model_rebuild()


def reads_features(mix: Mix) -> bool:
    """Say whether a mix looks at raw features."""
    match mix:
        case BoostedStack():
            return mix.features > 0
        case Average():
            return any(map(reads_features, mix.mixes))
        case Levels():
            return any(map(reads_features, (*mix.first, mix.then)))
        case Chosen():
            return reads_features(mix.mix)
        case _:
            return False


def equal(members: int) -> Weighted:
    """Return the plain mean of so many members."""
    return Weighted.of(np.full(members, 1.0 / members))
