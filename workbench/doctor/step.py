"""What a repair says of each thing that it does."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.doctor.check import Area

NAMED = 5
"""So many trials or differences are named; of more, their number is said."""


@dataclass(frozen=True)
class Step:
    """Something that was looked into, and what was done about it."""

    area: Area
    name: str
    done: str
    left: bool = False
    """Whether something is left that only a person can mend."""
