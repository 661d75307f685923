"""Is there such a feature set? Told from the source of ``features.py``, which is not executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import nearest

FILE = "features.py"
_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def feature_problem(name: str, root: Path) -> str | None:
    """Say what is wrong with a name of ``features.py`` in the folder ``root``; ``None`` where nothing is.

    A file that is not valid Python is no matter of names: it is told when it is imported.
    """
    file = root / FILE
    if not file.is_file():
        return f"there is no {FILE} in {root}; write one with a function '{name}' below @feature_set"
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):
        return None
    defined = {node.name: _is_marked(node) for node in body if isinstance(node, _DEFINITIONS)}
    elsewhere = set(_elsewhere(body))
    if defined.get(name, name in elsewhere or "*" in elsewhere):
        return None
    if name in defined:
        return f"'{name}' of {FILE} is no feature set; put @feature_set (from workbench) before it"
    marked = [known for known, is_set in defined.items() if is_set]
    has = f"it has {', '.join(marked)}" if marked else "it has none; put @feature_set before a function"
    return f"{FILE} has no feature set '{name}'; {has}.{nearest(name, marked)}".removesuffix(".")


def _is_marked(node: ast.FunctionDef | ast.ClassDef) -> bool:
    leaves = [leaf for decorator in node.decorator_list for leaf in ast.walk(decorator)]
    names = [leaf.id if isinstance(leaf, ast.Name) else getattr(leaf, "attr", "") for leaf in leaves]
    return "feature_set" in names


def _elsewhere(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that imports and assignments give a value."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
