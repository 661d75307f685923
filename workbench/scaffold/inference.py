"""What is read from the tables: a key of ``experiment.yaml``, its value, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Inference:
    """A key such as ``data.target``, its value, and the reason in a few words.

    What is not ``sure`` is written as a comment, for the user to judge.
    """

    key: str
    value: Any
    reason: str
    sure: bool = True


@dataclass(frozen=True)
class Finding:
    """Something about the tables that a modeller should know.

    ``columns`` are those that it is about; ``mark`` is what it says of each of them in a few letters. A finding that is
    not a ``warning`` is only good to know.
    """

    text: str
    columns: tuple[str, ...] = ()
    mark: str = ""
    warning: bool = True
