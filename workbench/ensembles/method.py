"""What an ensemble method is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

from workbench import registry
from workbench.blending.mix import Mix
from workbench.ensembles.members import Members
from workbench.errors import ConfigError, nearest


@dataclass(frozen=True)
class Fit:
    """What a method found. ``gap``: so much at most is its loss from the best that any weights have, where known."""

    mix: Mix
    gap: float | None = None


class NotApplicable(ConfigError):
    """The method says nothing of such members, such as ranks of a regression; `auto` leaves it out."""


class Method(Protocol):
    """An ensemble method, registered in the group ``ensembles``: a frozen dataclass whose fields are its options.

    It is a function of the members' content and its options alone.
    """

    simplicity: ClassVar[int]
    """`auto` takes the smallest one of those that are as good as the best.

    Convex weights come first, with one solution and nothing to tune. Averages that fit nothing come after them: they
    count every member alike, and a few bad ones spoil them more than it costs to fit weights.
    """

    @property
    def seed(self) -> int:
        """Seed of what is random."""
        ...

    def fit(self, members: Members) -> Fit:
        """Find a mix of all the members, which are canonical; those without weight are in it with 0.

        Raises:
            NotApplicable: it cannot be used with this metric, or these predictions.
        """
        ...


def make_method(name: str, options: dict[str, Any], *, seed: int) -> Method:
    """Return the method that is registered as ``name``, with options.

    Raises:
        ConfigError: there is no such method, or it has no such option.
    """
    kind = registry.resolve("ensembles", name)
    known = [field.name for field in fields(kind) if field.name != "seed"]
    for option in options:
        if option not in known:
            there = ", ".join(known) or "none"
            raise ConfigError(
                f"ensemble.method: {name} has no option '{option}'; there are {there}.{nearest(option, known)}"
            )
    method: Method = kind(**options, seed=seed)
    return method
