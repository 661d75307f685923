"""Words that messages share."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts: ``1 fit``, ``1,200 fits``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
