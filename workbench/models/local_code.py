"""A user's Python file as statements: which names each one binds and uses. Nothing is executed."""

from __future__ import annotations

import ast
import symtable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from workbench.errors import FactoryError

_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_Import = (ast.Import, ast.ImportFrom)


class Statement:
    """A statement at the top of a module. Of an import there is one for each name."""

    def __init__(self, node: ast.stmt) -> None:
        self.node = node

    @cached_property
    def text(self) -> str:
        """The statement without comments and formatting, and without docstrings."""
        return ast.unparse(self.node)

    @cached_property
    def _table(self) -> symtable.SymbolTable:
        return symtable.symtable(self.text, "<statement>", "exec")

    @cached_property
    def bound(self) -> frozenset[str]:
        """The module's names that the statement gives a value."""
        return frozenset(s.get_name() for s in self._table.get_symbols() if s.is_assigned() or s.is_imported())

    @cached_property
    def used(self) -> frozenset[str]:
        """The names of the module, or of builtins, that it reads now or when what it defines is called."""
        here = {s.get_name() for s in self._table.get_symbols() if s.is_referenced()}
        return frozenset(here.union(*(_globals(child) for child in self._table.get_children())))

    @cached_property
    def imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """The imports in it, at any depth."""
        return tuple(node for node in ast.walk(self.node) if isinstance(node, _Import))

    @cached_property
    def targets(self) -> frozenset[str]:
        """The names whose objects it may change when the module is executed: what it calls or writes into.

        ``keras.config.set_floatx("float64")`` and ``SIZES["small"] = 8`` have one; definitions and plain assignments
        have none.
        """
        if isinstance(self.node, (*_Definition, *_Import)):
            return frozenset()
        return frozenset(name for node in _walk_now(self.node) for name in _touched(node))

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names that it calls when the module is executed, for what the call does: ``configure()``."""
        if isinstance(self.node, _Definition):
            return frozenset()
        now = (node.value for node in _walk_now(self.node) if isinstance(node, ast.Expr))
        return frozenset(n.func.id for n in now if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))

    @property
    def is_import(self) -> bool:
        """Whether it is an import."""
        return isinstance(self.node, _Import)

    @property
    def is_star(self) -> bool:
        """Whether it is ``from module import *``."""
        return isinstance(self.node, ast.ImportFrom) and self.node.names[0].name == "*"

    def attributes_of(self, name: str) -> frozenset[str] | None:
        """Return what is taken of a module under ``name``; ``None`` if it is also used as a whole."""
        taken = [n for n in ast.walk(self.node) if isinstance(n, ast.Attribute) and _is_name(n.value, name)]
        uses = sum(_is_name(node, name) for node in ast.walk(self.node))
        return frozenset(node.attr for node in taken) if len(taken) == uses else None


@dataclass(frozen=True)
class SourceFile:
    """A parsed file."""

    path: Path
    statements: tuple[Statement, ...]

    @cached_property
    def bound(self) -> frozenset[str]:
        """Every name that the module gives a value."""
        return frozenset().union(*(statement.bound for statement in self.statements))

    @cached_property
    def imported(self) -> frozenset[str]:
        """The names that are imported, here or from elsewhere."""
        return frozenset().union(*(s.bound for s in self.statements if s.is_import))

    @cached_property
    def used(self) -> frozenset[str]:
        """Every name that the module uses."""
        return frozenset().union(*(statement.used for statement in self.statements))


def read(path: Path) -> SourceFile:
    """Return the parsed file; it is parsed again only when it has changed.

    Raises:
        FactoryError: it is not valid Python.
    """
    return _read(path, path.stat().st_mtime_ns)


def parse(text: str, origin: str) -> tuple[Statement, ...]:
    """Return the statements of a source text without its docstrings; ``origin`` names it in errors."""
    try:
        tree = _WithoutDocstrings().visit(ast.parse(text))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise FactoryError(f"{origin}{line} is not valid Python: {error}") from error
    return tuple(Statement(single) for node in tree.body for single in _single(node))


@cache
def _read(path: Path, _modified: int) -> SourceFile:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FactoryError(f"{path} is not UTF-8 text: {error}") from error
    return SourceFile(path, parse(text, str(path)))


def _single(node: ast.stmt) -> list[ast.stmt]:
    """Split an import of several names, so that each can be reached alone."""
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [] if _is_main_guard(node) else [node]


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes docstrings: they change nothing that a factory builds."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, *_Definition)) and isinstance(body, list) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                body[:1] = [] if len(body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]
        return node


def _globals(table: symtable.SymbolTable) -> set[str]:
    found = {s.get_name() for s in table.get_symbols() if s.is_global()}
    return found.union(*(_globals(child) for child in table.get_children()))


def _walk_now(node: ast.AST) -> list[ast.AST]:
    """Return the nodes that are executed with the statement: not the bodies of what it defines."""
    found = [node]
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _Definition):
            found += _walk_now(child)
    return found


def _touched(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [_root(node.value.func)]
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        return [_root(node)]
    return []


def _root(node: ast.expr) -> str:
    """Return ``a`` of ``a.b[0].c()``; nothing for other expressions."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_main_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and any(_is_name(part, "__name__") for part in ast.walk(node.test))
    )
