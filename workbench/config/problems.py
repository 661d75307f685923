"""Pydantic's findings, told as problems: what was expected, what was received, and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workbench.config.sections import field_at, unknown_key
from workbench.config.source import KeyPath, Problem, received, shortened
from workbench.errors import nearest

_TEXT, _MAPPING = "text", "a mapping"
_BY_PREFIX = {
    "int_": "an integer",
    "float_": "a number",
    "finite_number": "a finite number",
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_": "true or false",
    "path_": "a path",
    "tuple_": "a list",
    "list_": "a list",
    "dict_": _MAPPING,
    "model_": _MAPPING,
    "mapping_": _MAPPING,
}
_BOUNDS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
_PATTERN = "letters, digits, '_', '.' and '-' (at most 100, a letter or digit first)"


def problems(error: ValidationError, value: Any) -> list[Problem]:
    """Return one problem a key path; ``value`` is what was validated.

    A union gives an error for each of its branches, with the branch's name in the location. Where a mapping was given
    and one branch is a model, that branch was meant.
    """
    located = [(_located(detail, value), detail) for detail in error.errors(include_url=False)]
    models = {at for (_, tags), _ in located for at, tag, _ in tags if tag.endswith("Config")}
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for (path, tags), detail in located:
        if all(tag.endswith("Config") for at, tag, is_mapping in tags if is_mapping and at in models):
            by_path.setdefault(path, []).append(detail)
    return [Problem(path, _text(path, details)) for path, details in by_path.items() if not _follows(path, by_path)]


def _follows(path: KeyPath, by_path: Mapping[KeyPath, Sequence[ErrorDetails]]) -> bool:
    """Say whether a list is called too short only because its entries are wrong: pydantic counts the right ones."""
    too_short = by_path[path][0]["type"] == "too_short"
    return too_short and any(len(other) > len(path) and other[: len(path)] == path for other in by_path)


def _located(detail: ErrorDetails, value: Any) -> tuple[KeyPath, list[tuple[KeyPath, str, bool]]]:
    """Split pydantic's location into the key path and, for each union on it, (path, branch, was given a mapping)."""
    path: KeyPath = ()
    tags: list[tuple[KeyPath, str, bool]] = []
    for part in detail["loc"]:
        entered = part in value if isinstance(value, Mapping) else isinstance(value, list) and isinstance(part, int)
        if entered:
            path, value = (*path, part), value[part]
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            path = (*path, part)
        else:
            tags.append((path, str(part), isinstance(value, Mapping)))
    return path, tags


def _text(path: KeyPath, details: Sequence[ErrorDetails]) -> str:
    first = details[0]
    if first["type"] == "extra_forbidden":
        return unknown_key(path)
    if first["type"] == "missing":
        field = field_at(path)
        described = f" ({field.description.rstrip('.')})" if field and field.description else ""
        return f"this key is missing and has no default{described}"
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    expected = " or ".join(dict.fromkeys(_expected(path, detail) for detail in details))
    got = first["input"]
    return f"expected {expected}, received {received(got)}.{_advice(first, expected)}".removesuffix(".")


def _expected(path: KeyPath, detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"a number {words} {context[bound]:g}"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return f"a built-in's name or 'module:attribute': {_PATTERN}" if path[0] == "families" else _PATTERN
    if kind == "too_short":
        return f"at least {context['min_length']} entry"
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    return next((words for prefix, words in _BY_PREFIX.items() if kind.startswith(prefix)), detail["msg"])


def _advice(detail: ErrorDetails, expected: str) -> str:
    got = detail["input"]
    if detail["type"] == "literal_error" and isinstance(got, str):
        return nearest(got, _literals(str(detail.get("ctx", {}).get("expected", ""))))
    if expected == "a list" and isinstance(got, (str, int, float)):
        return f" Write [{got}]" if isinstance(got, str) and len(got) < 30 else " Write it in brackets: [a, b]"
    if expected in (_TEXT, "a path") and isinstance(got, (bool, int, float)):
        return f" Write it in quotes: '{got}'" if len(shortened(got)) < 30 else " Write it in quotes"
    return ""


def _literals(expected: str) -> Iterable[str]:
    return expected.replace(" or ", ", ").replace("'", "").split(", ")
