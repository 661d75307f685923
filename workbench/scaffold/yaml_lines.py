"""Lines of YAML that a person edits: a key, its value, and a comment that says why."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

WIDTH = 110
PLAIN = re.compile(r"(\.{0,2}/)?(?!\.[0-9])[A-Za-z_.][A-Za-z0-9_./ -]*(?<! )")
WORDS = re.compile(r"~|null|true|false|yes|no|on|off|y|n|\.nan|[+-]?\.inf|\.+", re.IGNORECASE)
"""Text that some reader of YAML takes for something else."""


def entry(indent: int, key: str, value: Any, comment: str = "", *, active: bool = True) -> Iterator[str]:
    """Yield ``key: value  # comment``, or the same as a comment; a long comment goes above it."""
    margin, comment = " " * indent + ("" if active else "# "), printable(comment)
    line = f"{margin}{scalar(key)}: {scalar(value)}".rstrip()
    if len(line) + len(comment) + 4 <= WIDTH:
        yield f"{line}  # {comment}" if comment else line
    else:
        yield from remark(indent, comment)
        yield line


def remark(indent: int, text: str, bullet: str = "") -> Iterator[str]:
    """Yield ``text`` as comment lines."""
    margin = " " * indent + "# "
    lines = textwrap.wrap(
        printable(text), WIDTH - len(margin) - len(bullet), break_long_words=False, break_on_hyphens=False
    )
    for number, line in enumerate(lines):
        yield margin + (bullet if number == 0 else " " * len(bullet)) + line


def printable(text: str) -> str:
    """Return text with a space for whatever ends a line, for YAML or a terminal, or is nothing to look at."""
    return "".join(character if character.isprintable() else " " for character in text)


def scalar(value: Any) -> str:
    """Return a value as YAML in one line; text is quoted where it could be read as something else."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {scalar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    if isinstance(value, (str, Path)):
        text = str(value)
        plain = PLAIN.fullmatch(text) and not WORDS.fullmatch(text)
        return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
    return json.dumps(value)
