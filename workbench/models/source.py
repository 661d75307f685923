"""A factory that was defined in a notebook cell, or in a script, travels to workers as source.

A worker imports files; it shares neither memory nor ``__main__`` with the notebook. So the function is written into a
file together with what it uses: functions and classes of the notebook, imports, and constants.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.errors import FactoryError
from workbench.models import cell_source, modules
from workbench.models.identity import reached_files
from workbench.models.local_code import Statement

MAX_CONSTANT = 100_000
"""Characters of a constant at most: more is data, which belongs into files."""


def write_source(function: Callable[..., Any] | type[Any], folder: Path) -> tuple[str, Path | None]:
    """Return a reference ``module:attribute`` to a function or class, and the folder in which its module lies.

    What is importable is not copied: a function of a ``.py`` file gives that file's reference, one of an installed
    package gives ``None`` as its folder. What a cell or a script defines is written to ``folder/cell_<hash>.py``, the
    same text to the same file; ``.py`` files of the user's that it imports are copied beside it.

    Raises:
        FactoryError: it is a lambda, a closure or an object, or it uses one that cannot be written as source; the
            message names it.
    """
    name = str(getattr(function, "__name__", type(function).__name__))
    module = getattr(function, "__module__", None)
    if not (inspect.isclass(function) or inspect.isroutine(function) or hasattr(function, "__wrapped__")):
        raise FactoryError(
            f"expected a factory function or class, got an object of {type(function).__name__}, which cannot be "
            "written as source. Pass the function, or the class instead of its instance"
        )
    if module != "__main__":
        return _importable(function, name, str(module))
    source = _Source(folder)
    written = source.define(function, f"factory '{name}'")
    text = source.text()
    stem = f"cell_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    _write(folder / f"{stem}.py", text)
    return f"{stem}:{written}", folder


@dataclass(frozen=True)
class _Block:
    """A definition of the file."""

    text: str
    now: frozenset[str]
    """Names that must be bound when it is executed: of a function its decorators and defaults, not its body."""
    used: frozenset[str]
    runs: bool = True
    """Whether executing it may call what is in ``now``, which then needs all of its own names."""


class _Source:
    """A file in the making: definitions after what they need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._imports: dict[str, None] = {}
        self._blocks: dict[str, _Block] = {}
        self._names: dict[str, Any] = {}
        """What each name of the file is bound to in the notebook."""

    def text(self) -> str:
        """Return the file. Annotations are not evaluated there: what only they name is not needed."""
        head = ["from __future__ import annotations", *sorted(self._imports)]
        return "\n".join(head) + "\n\n\n" + "\n\n".join(block.text.rstrip() + "\n" for block in self._ordered())

    def define(self, value: Any, label: str) -> str:
        """Write a function or class of ``__main__`` and what it uses; return its name."""
        found = cell_source.find(value, label)
        if self._bind(found.name, value, label):
            for module in modules.imported_modules(found.text):
                self._carry(module)
            used = _names_of(found.text)
            for name in sorted(used):
                self._use(name, _namespace(value), label, found.text)
            self._blocks[found.name] = _Block(found.text, _names_of(found.text, now=True), used)
        return found.name

    def _constant(self, name: str, expression: str) -> None:
        names = _names_of(expression)
        self._blocks[name] = _Block(f"{name} = {expression}\n", names, names, runs=False)

    def _ordered(self) -> list[_Block]:
        """Return the blocks, each after those that executing it needs."""
        placed: dict[str, None] = {}
        begun: set[str] = set()

        def place(name: str) -> None:
            if name in begun or name not in self._blocks:
                return
            begun.add(name)
            block = self._blocks[name]
            before = self._reach(block.now) if block.runs else block.now
            for needed in sorted(before - {name}):
                place(needed)
            placed[name] = None

        for name in self._blocks:
            place(name)
        return [self._blocks[name] for name in placed]

    def _reach(self, names: frozenset[str]) -> set[str]:
        """Return the names and everything that they use."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found and name in self._blocks:
                found.add(name)
                waiting += self._blocks[name].used
        return found

    def _bind(self, name: str, value: Any, label: str) -> bool:
        """Take a name for a value; say whether it is new."""
        if name not in self._names:
            self._names[name] = value
            return True
        if self._names[name] is not value:
            raise FactoryError(f"{label}: two things are called '{name}'; rename one of them")
        return False

    def _use(self, name: str, namespace: dict[str, Any], user: str, text: str) -> None:
        """Write what ``name`` stands for where ``user`` uses it."""
        if name not in namespace or (name in vars(builtins) and namespace[name] is vars(builtins)[name]):
            return
        value = namespace[name]
        label = f"'{name}', which {user} uses,"
        if name == "get_ipython":
            raise FactoryError(f"{user} uses a notebook's magic ('%…' or '!…'), which no worker has; remove it")
        if isinstance(value, ModuleType):
            self._import_submodules(name, value, text)
        if (line := self._import_of(name, value)) is not None:
            if self._bind(name, value, label):
                self._imports[line] = None
        elif _is_own(value):
            defined = self.define(value, label)
            if defined != name and self._bind(name, value, label):
                self._constant(name, defined)
        elif name not in self._names:
            expression = self._expression(value, label)
            if len(expression) > MAX_CONSTANT:
                raise FactoryError(f"{label} takes {len(expression)} characters as source; read it from a file instead")
            self._bind(name, value, label)
            self._constant(name, expression)

    def _import_of(self, name: str, value: Any) -> str | None:
        """Return the line that imports a value; ``None`` for what is not imported."""
        if isinstance(value, ModuleType):
            module = modules.module_name(value)
            self._carry(module)
            return f"import {module}" if module == name else f"import {module} as {name}"
        if _is_literal(value) or _is_own(value):
            return None
        line = cell_source.import_line(name, value) or modules.attribute_import(name, value)
        if line is not None:
            node = ast.parse(line).body[0]
            self._carry(str(getattr(node, "module", "")))
        return line

    def _import_submodules(self, name: str, module: ModuleType, text: str) -> None:
        """Import ``scipy.stats`` where ``import scipy`` alone does not make ``scipy.stats.norm`` known."""
        for node in ast.walk(ast.parse(text)):
            path = modules.submodule(node, name, module)
            if path is not None:
                self._carry(path)
                self._imports[f"import {path}"] = None

    def _carry(self, module: str) -> None:
        """Copy a module's file, and those that it imports, if it is not installed but lies beside the notebook."""
        root = modules.local_root(module)
        if root is None:
            return
        file = modules.module_file(root, module)
        name = f"{module}.__init__" if file is not None and file.name == "__init__.py" else module
        for path in reached_files(f"{name}:", root):
            target = self._folder / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(target, path.read_text(encoding="utf-8-sig"))

    def _expression(self, value: Any, label: str) -> str:
        """Return source that evaluates to ``value``: literals, containers of them, and names of what is written."""
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if _is_literal(value):
            return repr(value)
        if type(value) in (list, tuple, set, frozenset, dict):
            return self._container(value, label)
        name = str(getattr(value, "__name__", ""))
        if _is_own(value):
            return self.define(value, f"'{name}' in {label}")
        line = modules.attribute_import(name, value) if name.isidentifier() else None
        if line is None:
            raise FactoryError(
                f"{label} is an object of {type(value).__name__} that cannot be written as source. Make it inside the "
                "factory, or move the factory to a .py file beside the experiment"
            )
        self._carry(str(value.__module__))
        if self._bind(name, value, label):
            self._imports[line] = None
        return name

    def _container(self, value: Any, label: str) -> str:
        if isinstance(value, dict):
            pairs = (f"{self._expression(k, label)}: {self._expression(v, label)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        parts = [self._expression(item, label) for item in value]
        if isinstance(value, (set, frozenset)):
            # The order of a set differs from process to process; the file's hash must not.
            return f"{type(value).__name__}([{', '.join(sorted(parts))}])"
        if isinstance(value, tuple):
            return "(" + "".join(f"{part}, " for part in parts).rstrip(" ") + ")"
        return "[" + ", ".join(parts) + "]"


def _importable(function: Any, name: str, module: str) -> tuple[str, Path | None]:
    """Return the reference of what a module other than ``__main__`` holds."""
    loaded = sys.modules.get(module)
    if loaded is None or getattr(loaded, name, None) is not function:
        raise FactoryError(
            f"'{module}' has no attribute '{name}' that is this factory, so a worker cannot import it. Pass a function "
            "or class that is defined with 'def' or 'class' at the top level of its file"
        )
    root = modules.local_root(module)
    if root is None:
        return f"{module}:{name}", None
    is_package = Path(str(loaded.__file__)).name == "__init__.py"
    return f"{module}.__init__:{name}" if is_package else f"{module}:{name}", root


def _names_of(text: str, *, now: bool = False) -> frozenset[str]:
    """Return the names that a statement uses, without those of its functions' annotations; ``now``: when executed."""
    node = _Pruned(bodies=not now).visit(ast.parse(text).body[0])
    return Statement(node).used


class _Pruned(ast.NodeTransformer):
    """Removes the annotations of functions, and their bodies where these are not wanted."""

    def __init__(self, *, bodies: bool) -> None:
        self._bodies = bodies

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
            if not self._bodies:
                node.body = [ast.Pass()]
        if isinstance(node, ast.arg):
            node.annotation = None
        return super().generic_visit(node)


def _namespace(value: Any) -> dict[str, Any]:
    """Return the names that a definition sees."""
    found = getattr(inspect.unwrap(value), "__globals__", None)
    return found if isinstance(found, dict) else vars(sys.modules["__main__"])


def _is_own(value: Any) -> bool:
    """Say whether a function or class was defined in the notebook or script."""
    is_code = inspect.isclass(value) or inspect.isfunction(inspect.unwrap(value) if callable(value) else value)
    return is_code and getattr(value, "__module__", None) == "__main__"


def _is_literal(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, complex, str, bytes)


def _write(path: Path, text: str) -> None:
    """Write a file at once, so that a worker never reads half of it."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
