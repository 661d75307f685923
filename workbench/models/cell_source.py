"""Finding the text of what was defined in a notebook cell or in a script: functions, classes, import lines.

`inspect.getsource` knows functions of cells, through `linecache`; of their classes it knows nothing, because it looks
for a file of the module ``__main__``.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from workbench.errors import FactoryError

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Definition:
    """A ``def`` or ``class`` statement and the name that it binds."""

    name: str
    text: str


def find(value: Any, label: str) -> Definition:
    """Return the definition of a function or class; ``label`` is what errors call it.

    Raises:
        FactoryError: it is a lambda or a closure, or its source is not known.
    """
    if inspect.isclass(value):
        return _class(value, label)
    plain = inspect.unwrap(value)
    _check_function(plain, label)
    try:
        text = textwrap.dedent(inspect.getsource(plain))
        node = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise _unknown(label) from error
    if not isinstance(node, _Function):
        raise _unknown(label)
    if plain is not value and not node.decorator_list:
        raise FactoryError(f"{label} was wrapped by a call; decorate it with '@' where it is defined")
    return Definition(node.name, text)


def import_line(name: str, value: Any) -> str | None:
    """Return the import of cells or of the script by which ``name`` got ``value``; ``None`` if there is none."""
    for text in _texts():
        for node in _at_module_level(_parsed(text)):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name and _imported(node.module, alias.name) is value:
                        return ast.unparse(ast.ImportFrom(node.module, [alias], 0))
    return None


def _check_function(function: Any, label: str) -> None:
    if not inspect.isfunction(function):
        raise FactoryError(f"{label} is a {type(function).__name__}; expected a function or a class")
    if function.__name__ == "<lambda>":
        raise FactoryError(f"{label} is a lambda, whose source cannot be cut out; write it as a function with 'def'")
    free = [name for name in function.__code__.co_freevars if name != "__class__"]
    if free:
        raise FactoryError(
            f"{label} is a closure over {', '.join(repr(name) for name in free)}: it needs values of the function that "
            "made it, which do not travel to a worker. Define it at the top level, and make them constants or "
            "hyperparameters"
        )


def _unknown(label: str) -> FactoryError:
    return FactoryError(
        f"the source of {label} is not known, so it cannot travel to a worker. Define it in a notebook cell, in a "
        "script, or in a .py file beside the experiment"
    )


def _class(value: type[Any], label: str) -> Definition:
    if "<locals>" in value.__qualname__:
        raise FactoryError(f"{label} is a class made inside a function; define it at the top level")
    code = next(_codes(value), None)
    texts: Iterator[str] = iter(["".join(linecache.getlines(code.co_filename))]) if code is not None else _texts()
    for text in texts:
        for node in _at_module_level(_parsed(text)):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__ and _is_source(node, value, code):
                return Definition(node.name, _cut(text, node))
    raise _unknown(label)


def _codes(value: type[Any]) -> Iterator[CodeType]:
    """Yield the code of the methods that the class statement itself defines."""
    for member in vars(value).values():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        if not inspect.isfunction(function) or function.__qualname__ != f"{value.__qualname__}.{function.__name__}":
            continue
        # Methods that a decorator wrote, such as a dataclass's, have no lines in the cell.
        if linecache.getlines(function.__code__.co_filename):
            yield function.__code__


def _is_source(node: ast.ClassDef, value: type[Any], code: CodeType | None) -> bool:
    """Say whether the statement made the class: it holds a method's line, or else it names the same attributes."""
    if code is not None:
        return node.lineno <= code.co_firstlineno <= (node.end_lineno or node.lineno)
    assigned = (target for part in node.body if isinstance(part, ast.Assign) for target in part.targets)
    return all(target.id in vars(value) for target in assigned if isinstance(target, ast.Name))


def _cut(text: str, node: ast.ClassDef) -> str:
    """Return the statement's lines, decorators included."""
    if node.col_offset:
        return ast.unparse(node) + "\n"
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "".join(text.splitlines(keepends=True)[first - 1 : node.end_lineno]).rstrip() + "\n"


def _texts() -> Iterator[str]:
    """Yield the sources of ``__main__``: the cells, the latest first, or the script."""
    for entry in reversed(list(linecache.cache.values())):
        # Cells have no modification time, because they are no files; entries of one item were never loaded.
        if len(entry) == 4 and entry[1] is None:
            yield "".join(entry[2])
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is not None and Path(script).is_file():
        yield "".join(linecache.getlines(script))


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _at_module_level(tree: ast.Module) -> list[ast.AST]:
    """Return the statements that bind names of the module, the latest first."""
    found: list[ast.AST] = []
    visit: list[ast.AST] = list(tree.body)
    while visit:
        node = visit.pop(0)
        found.append(node)
        if not isinstance(node, (*_Function, ast.ClassDef)):
            visit += [child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.excepthandler))]
    return found[::-1]


def _imported(module: str, name: str) -> Any:
    loaded = sys.modules.get(module)
    return getattr(loaded, name, None) if loaded is not None else None
