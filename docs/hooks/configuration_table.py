"""A hook of MkDocs: puts the keys of experiment.yaml, from its JSON schema, in place of the marker in a page."""

from __future__ import annotations

from typing import Any

from workbench.config.json_schema import json_schema

MARKER = "<!-- keys of experiment.yaml -->"
_SECTIONS = ("data", "metric", "folds", "holdout", "families", "search", "training", "ensemble", "tracking")
_WITHIN = (("families", "space"), ("search", "screen"), ("search", "warm_start"), ("ensemble", "final"))
"""Keys of a section that are mappings, or lists of them, with keys of their own."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marker; called by MkDocs for each page."""
    return markdown.replace(MARKER, keys_as_markdown()) if MARKER in markdown else markdown


def keys_as_markdown() -> str:
    """Return a table for the top of the file and one for each section, as Markdown."""
    schema = json_schema()
    parts = [_table("The file", schema["properties"], schema["required"])]
    for name in _SECTIONS:
        model = _model(schema["properties"][name], schema["$defs"])
        parts.append(_table(f"`{name}`", model["properties"], model.get("required", [])))
    for name, key in _WITHIN:
        within = _model(_model(schema["properties"][name], schema["$defs"])["properties"][key], schema["$defs"])
        parts.append(_table(f"`{name}.{key}`", within["properties"], within.get("required", [])))
    return "\n\n".join(parts)


def _table(title: str, properties: dict[str, Any], required: list[str]) -> str:
    rows = [_row(key, about, key in required) for key, about in properties.items()]
    return "\n".join([f"## {title}", "", "| key | values | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _row(key: str, about: dict[str, Any], required: bool) -> str:
    default = "**required**" if required else _shown(about.get("default"))
    meaning = about.get("description") or f"See [below](#{key})."
    cells = (f"`{key}`", _values(about), default, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(default: Any) -> str:
    return "" if default in (None, [], {}, "") or isinstance(default, dict) else f"`{default}`"


def _values(about: dict[str, Any]) -> str:
    """Return the words or types that a key takes."""
    if "enum" in about or "const" in about:
        return ", ".join(f"`{word}`" for word in about.get("enum", [about.get("const")]))
    options = about.get("anyOf")
    if options:
        return " or ".join(dict.fromkeys(_values(option) for option in options if option.get("type") != "null"))
    if "$ref" in about:
        return "section"
    return {"array": "list", "object": "mapping"}.get(about.get("type", ""), about.get("type", ""))


def _model(about: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the model that a key or the items of its list refer to."""
    found = next(_references(about))
    model: dict[str, Any] = definitions[found.rpartition("/")[2]]
    return model


def _references(about: Any) -> Any:
    if isinstance(about, dict):
        if "$ref" in about:
            yield about["$ref"]
        about = list(about.values())
    if isinstance(about, list):
        for part in about:
            yield from _references(part)
