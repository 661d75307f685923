"""Words that messages share."""

from __future__ import annotations

from workbench.types import Direction


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts: ``1 fit``, ``1,200 fits``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def less_or_more(direction: Direction) -> str:
    """Return whether ``less`` or ``more`` of a metric is better."""
    return "less" if direction == "minimize" else "more"
