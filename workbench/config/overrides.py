"""``--set key.path=value``: a configuration's keys from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.config.sections import field_at, section, unknown_key
from workbench.config.source import KeyPath, Problem, Source, dotted, received
from workbench.config.yaml_text import Document, parse
from workbench.errors import ConfigError


def apply(value: dict[str, Any], overrides: Sequence[str], source: Source) -> Source:
    """Set each ``key.path=value`` in ``value``, in order, in place.

    The value is a YAML scalar or a flow collection: ``5``, ``[mlp, xgboost]``, ``{age: numeric}``; nothing is null. A
    number in the path counts entries of a list from 0.

    Returns:
        ``source``, with the overrides as the places of what they set.

    Raises:
        ConfigError: an override is malformed, or its path does not exist; the message has the nearest valid name.
    """
    places = dict(source.places)
    for override in overrides:
        origin = Source(f"--set {override}" if len(override) <= 80 else f"--set {override[:79]}…")
        path, new = _parsed(override, origin)
        _assign(value, path, new, origin)
        for stale in [place for place in places if place[: len(path)] == path]:
            del places[stale]
        places[path] = origin.origin
    return Source(source.origin, places)


def _parsed(override: str, origin: Source) -> tuple[KeyPath, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise origin.error([Problem((), "expected key.path=value, such as search.trials=5")])
    document = parse(text, origin)
    if _is_block(document, text):
        raise origin.error([Problem((), "expected a value in one line; put text that holds ': ' or '- ' in quotes")])
    return _path(key.strip(), origin), document.value


def _is_block(document: Document, text: str) -> bool:
    return isinstance(document.value, (dict, list)) and not text.lstrip().startswith(("{", "["))


def _path(key: str, origin: Source) -> KeyPath:
    """Split at dots as far as there are sections; what follows a free mapping is one key, dots and all."""
    path: KeyPath = ()
    rest = key.split(".")
    while rest:
        part: str | int = int(rest[0]) if rest[0].isdecimal() and len(rest[0]) < 6 and _in_list(path) else rest[0]
        if isinstance(part, str) and section(path) is None:
            return _free(path, ".".join(rest), origin)
        path = (*path, part)
        if isinstance(part, str) and field_at(path) is None:
            raise origin.error([Problem((), unknown_key(path))])
        rest = rest[1:]
    return path


def _in_list(path: KeyPath) -> bool:
    field = field_at(path)
    return field is not None and str(field.annotation).startswith("tuple")


def _free(path: KeyPath, key: str, origin: Source) -> KeyPath:
    field = field_at(path)
    if field is None or not str(field.annotation).startswith("dict"):
        raise origin.error([Problem((), f"'{dotted(path)}' is a value, not a section; it has no key '{key}'")])
    return (*path, key)


def _assign(value: Any, path: KeyPath, new: Any, origin: Source) -> None:
    for depth, part in enumerate(path[:-1]):
        value = _entered(value, part, path[: depth + 1], origin)
    last = path[-1]
    if isinstance(last, int):
        _entered(value, last, path, origin)
    elif not isinstance(value, dict):
        raise _not_a_section(path[:-1], value, origin)
    value[last] = new


def _entered(value: Any, part: str | int, path: KeyPath, origin: Source) -> Any:
    """Return what lies under ``part``; sections that are absent are made."""
    if isinstance(part, int):
        if not isinstance(value, list) or part >= len(value):
            entries = f"{len(value)} entries, counted from 0" if isinstance(value, list) else "no entries in the file"
            text = f"'{dotted(path)}' does not exist: '{dotted(path[:-1])}' has {entries}; set the whole list"
            raise origin.error([Problem((), text)])
        return value[part]
    if not isinstance(value, dict):
        raise _not_a_section(path[:-1], value, origin)
    if value.get(part) is None:
        value[part] = {}
    return value[part]


def _not_a_section(path: KeyPath, value: Any, origin: Source) -> ConfigError:
    text = f"'{dotted(path)}' is {received(value)} there, not a mapping; set the whole of '{dotted(path)}'"
    return origin.error([Problem((), text)])
