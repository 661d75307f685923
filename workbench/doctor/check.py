"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]
Area = Literal["machine", "packages", "keras", "store", "tracking", "ports"]


@dataclass(frozen=True)
class Check:
    """Something that was looked at.

    With a ``problem`` a sweep cannot run, or its results cannot be read; with a ``warning`` it can.
    """

    area: Area
    name: str
    status: Status
    found: str
    remedy: str = ""
    """What to do; empty only where all is well."""

    def __post_init__(self) -> None:
        if (self.status == "ok") == bool(self.remedy):
            raise ValueError(
                f"check '{self.name}' is '{self.status}': a remedy is for what is not ok, and needed there"
            )


def gibibytes(size: float) -> str:
    """Return a number of bytes as text."""
    return f"{size / 2**30:.1f} GiB"
