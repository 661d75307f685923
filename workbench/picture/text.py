"""Words and numbers of a picture."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

WIDTH = 80


def compact(value: Any) -> str:
    """Return a value in few letters: 0.1, 3 x 3, adam."""
    if isinstance(value, (tuple, list)):
        return " x ".join(compact(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def in_words(title: str, text: str, indent: int = 14) -> list[str]:
    """Return a title and a text that is wrapped beside it."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{title:<{indent}}", subsequent_indent=" " * indent)


def explanation(kind: type) -> str:
    """Return the first sentence of a class's own docstring, without markup; empty where it has none."""
    own = kind.__dict__.get("__doc__") or ""
    paragraph = " ".join(inspect.cleandoc(own).partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".").replace("`", "")
