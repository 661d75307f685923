"""Where a configuration came from, so that a problem can be told with its file, line and key path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import ConfigError

KeyPath = tuple[str | int, ...]

_SHOWN = 10
_LONGEST = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong at a key path; ``text`` says what was expected, what was received, and what to do."""

    path: KeyPath
    text: str
    place: str = ""
    """Where it is, if that is not the key's line."""


@dataclass(frozen=True)
class Source:
    """The origin of a configuration: a file, or the Python call that gave a mapping.

    ``places`` says where a key path was written: ``line 4``, or ``--set search.trials=x``.
    """

    origin: str
    places: Mapping[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Return where ``path``, or the nearest key above it, was written; empty if that is not known."""
        for length in range(len(path), 0, -1):
            if found := self.places.get(path[:length]):
                return found
        return ""

    def error(self, problems: Sequence[Problem]) -> ConfigError:
        """Return the error that tells all problems, the first ten in full."""
        if len(problems) == 1:
            line = self._line(problems[0])
            return ConfigError(f"{self.origin}{', ' if self._known(problems[0]) else ': '}{line}")
        told = "".join(f"\n  {self._line(problem)}" for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        return ConfigError(f"{self.origin} has {len(problems)} problems:{told}{more}")

    def _line(self, problem: Problem) -> str:
        known = self._known(problem)
        return f"{known}: {problem.text}" if known else problem.text

    def _known(self, problem: Problem) -> str:
        place = problem.place or self.place(problem.path)
        return ", ".join(part for part in (place, dotted(problem.path)) if part)


def dotted(path: KeyPath) -> str:
    """Return a key path as people write it: ``families.0.name``."""
    return ".".join(str(part) for part in path)


def received(value: Any) -> str:
    """Return a value and its kind for a message: ``'abc' (text)``, ``a list of 2``, ``nothing (null)``."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{shortened(value)} ({_kind(value)})"


def shortened(value: Any) -> str:
    """Return a value's ``repr`` on one line of bounded length."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _kind(value: Any) -> str:
    names = {int: "integer", float: "number", str: "text"}
    return names.get(type(value), type(value).__name__)
