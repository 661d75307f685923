"""Code identity: equal as long as a factory, and the code of the experiment that it reaches, are equal.

Names are followed through the files of the experiment without executing them. What cannot be seen so: data files that
code reads, modules imported by a computed name, and changes of installed packages.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.errors import FactoryError
from workbench.models.family import Family
from workbench.models.local_code import SourceFile, Statement, read
from workbench.types import fingerprint

_REFLECTION = frozenset({"globals", "eval", "exec", "__import__"})
"""Code that uses one of these may reach anything in its file."""


def code_identity(reference: str, root: Path | None) -> str:
    """Return the identity of the code behind ``module:attribute``.

    For a built-in family it is the family's version. For a user's it is a hash of the attribute's source and of what
    that reaches in files of ``root``: functions, classes, constants, imports, and statements that change what is
    imported. Comments, formatting, docstrings, and everything else in those files, do not count.

    Raises:
        FactoryError: the module does not exist, or a file is not valid Python.
    """
    module, _, attribute = reference.partition(":")
    folder = _Folder.of(module, root)
    if folder.only and (family := _built_in(module, reference)) is not None:
        return family.code
    reach = _Reach(folder)
    reach.follow(reach.folder.entry, attribute)
    # The name counts: one statement may define two factories.
    return fingerprint(attribute, *reach.texts())


def confirm_code(what: str, reference: str, root: Path | None, code: str) -> None:
    """Raise `FactoryError` unless the files still hold the code under whose identity results are kept.

    Modules are executed again when their files have changed, and a worker that is replaced sees the files of now.
    """
    if code_identity(reference, root) != code:
        file = f"{reference.partition(':')[0]}.py"
        raise FactoryError(f"{what}: {file} was edited since the run began; run again (files that it imports count)")


def reached_files(reference: str, root: Path | None) -> tuple[Path, ...]:
    """Return the files that must travel with ``module:attribute``, its own one first; none for what is installed.

    Importing a file executes all of it, so every import of a file counts, whoever uses it.
    """
    folder = _Folder.of(reference.partition(":")[0], root)
    if folder.only:
        return ()
    found: dict[Path, None] = {}
    waiting = [folder.entry]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            imports = (node for statement in read(path).statements for node in statement.imports)
            waiting += [target for node in imports for target, _ in folder.targets(path, node)]
            waiting += folder.packages(path)
    return tuple(found)


def copy_reached_files(reference: str, root: Path, folder: Path) -> tuple[Path, ...]:
    """Copy the files that must travel with ``module:attribute`` of ``root`` into ``folder``; return them."""
    root, files = root.resolve(), reached_files(reference, root.resolve())
    for file in files:
        copy = folder / file.resolve().relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return files


def _built_in(module: str, reference: str) -> Family | None:
    if not module.startswith("workbench."):
        return None
    family = getattr(importlib.import_module(module), "FAMILY", None)
    return family if isinstance(family, Family) and family.build == reference else None


@dataclass(frozen=True)
class _Folder:
    """Where an experiment's own modules lie."""

    entry: Path
    places: tuple[Path, ...]
    only: str = ""
    """The top-level package of an installed module, which reaches into nothing else; empty for a user's file."""

    @classmethod
    def of(cls, module: str, root: Path | None) -> _Folder:
        if root is not None:
            entry = (root / Path(*module.split("."))).with_suffix(".py").resolve()
            if entry.is_file():
                return cls(entry, tuple(dict.fromkeys((entry.parent, root.resolve()))))
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            where = f" in {root}" if root is not None else ""
            raise FactoryError(f"no Python file for the module '{module}'{where}; expected 'module:attribute'")
        entry = Path(spec.origin).resolve()
        depth = module.count(".") + (entry.name == "__init__.py")
        return cls(entry, (entry.parents[depth],), only=module.partition(".")[0])

    def find(self, module: str) -> Path | None:
        """Return the file of an absolute module name; ``None`` for what is not the experiment's own."""
        parts = module.split(".")
        if self.only and parts[0] != self.only:
            return None
        for place in self.places:
            base = place.joinpath(*parts)
            for path in (base.with_suffix(".py"), base / "__init__.py"):
                if path.is_file():
                    return path
        return None

    def targets(self, path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[Path, str | None]]:
        """Yield the file and the attribute of each name that is imported; ``None`` is a module as a whole."""
        for alias in node.names:
            if isinstance(node, ast.Import):
                found = self.find(alias.name)
                yield from [(found, None)] if found is not None else []
                continue
            module = self._absolute(path, node)
            submodule = self.find(f"{module}.{alias.name}" if module else alias.name)
            parent = self.find(module) if module else None
            if submodule is not None:
                yield submodule, None
            elif parent is not None:
                yield parent, alias.name

    def beside(self, path: Path, name: str) -> Path | None:
        """Return the submodule ``name`` of the package whose ``__init__.py`` is ``path``."""
        if path.name != "__init__.py":
            return None
        found = (path.with_name(f"{name}.py"), path.parent / name / "__init__.py")
        return next((candidate for candidate in found if candidate.is_file()), None)

    def packages(self, path: Path) -> list[Path]:
        """Return the ``__init__.py`` files that are executed before ``path``."""
        place = next((p for p in self.places if path.is_relative_to(p)), path.parent)
        between = [p for p in path.parents if p != place and p.is_relative_to(place)]
        return [init for folder in between if (init := folder / "__init__.py").is_file()]

    def _absolute(self, path: Path, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        place = next((p for p in reversed(self.places) if path.is_relative_to(p)), path.parent)
        parts = path.parent.relative_to(place).parts
        kept = parts[: len(parts) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])


@dataclass
class _Reach:
    """The statements that were reached, by file."""

    folder: _Folder
    reached: dict[Path, set[int]] = field(default_factory=dict)
    names: set[tuple[Path, str | None]] = field(default_factory=set)

    def texts(self) -> list[list[str]]:
        """Return each file's reached statements; the entry's name does not count, so that it can be renamed."""
        files = sorted(self.reached, key=lambda path: (path != self.folder.entry, path.as_posix()))
        return [
            ["" if path == self.folder.entry else path.name]
            + [read(path).statements[index].text for index in sorted(self.reached[path])]
            for path in files
        ]

    def follow(self, path: Path, name: str | None) -> None:
        """Reach a name of a file; ``None`` is all of it."""
        if (path, name) in self.names:
            return
        self.names.add((path, name))
        self._execute(path)
        file = read(path)
        if name is not None and name not in file.bound:
            self._follow_elsewhere(file, name)
            return
        for index, statement in enumerate(file.statements):
            if name is None or name in statement.bound or name in statement.targets:
                self._include(file, index)
                if statement.is_import:
                    self._follow_import(file, statement, None)

    def _execute(self, path: Path) -> None:
        """Reach what importing a file does: calls, changes of what is imported, imports made for their effect."""
        if path in self.reached:
            return
        self.reached[path] = set()
        for package in self.folder.packages(path):
            self._execute(package)
        file = read(path)
        for index, statement in enumerate(file.statements):
            idle = statement.is_import and not statement.is_star and not statement.bound & file.used
            if statement.targets & file.imported or statement.calls & file.bound:
                self._include(file, index)
            elif idle and self._local(file, statement) and file.path.name != "__init__.py":
                self._include(file, index)
                self._follow_import(file, statement, None)

    def _local(self, file: SourceFile, statement: Statement) -> list[tuple[Path, str | None]]:
        """Return the experiment's own files that an import names."""
        return [target for node in statement.imports for target in self.folder.targets(file.path, node)]

    def _include(self, file: SourceFile, index: int) -> None:
        """Reach a statement and what it uses."""
        if index in self.reached[file.path]:
            return
        self.reached[file.path].add(index)
        statement = file.statements[index]
        if statement.is_import:
            return
        if statement.used & _REFLECTION:
            self.follow(file.path, None)
        self._follow_import(file, statement, statement)
        for name in sorted(statement.used):
            if name in file.bound:
                self._follow_use(file, statement, name)
            else:
                self._follow_stars(file, name)

    def _follow_use(self, file: SourceFile, user: Statement, name: str) -> None:
        """Reach a name that a statement uses: of an imported module, only what the statement takes of it."""
        for index, statement in enumerate(file.statements):
            if name in statement.bound and statement.is_import:
                self._include(file, index)
                self._follow_import(file, statement, user)
            elif name in statement.bound:
                self.follow(file.path, name)

    def _follow_import(self, file: SourceFile, statement: Statement, user: Statement | None) -> None:
        """Reach what the imports of a statement name: of a whole module what ``user`` takes of it, or all."""
        for node in statement.imports:
            for path, attribute in self.folder.targets(file.path, node):
                alias = node.names[0]
                dotted = isinstance(node, ast.Import) and "." in alias.name and alias.asname is None
                taken = None if user is None or dotted else user.attributes_of(alias.asname or alias.name)
                if attribute == "*":
                    self._execute(path)
                elif attribute is not None or taken is None:
                    self.follow(path, attribute)
                else:
                    for name in sorted(taken):
                        self.follow(path, name)

    def _follow_stars(self, file: SourceFile, name: str) -> bool:
        """Reach a name through ``from module import *``; say whether one of them has it."""
        for index, statement in enumerate(file.statements):
            for path, _ in self._local(file, statement) if statement.is_star else []:
                self._execute(path)
                if name in read(path).bound:
                    self.follow(path, name)
                elif (path, f"*{name}") in self.names or not self._once(path, name):
                    continue
                self.reached[file.path].add(index)
                return True
        return False

    def _once(self, path: Path, name: str) -> bool:
        """Look behind a star import's own star imports; files that import each other end here."""
        self.names.add((path, f"*{name}"))
        return self._follow_stars(read(path), name)

    def _follow_elsewhere(self, file: SourceFile, name: str) -> None:
        """Reach a name that the file does not bind visibly: a star import's, a submodule, or one made by code."""
        submodule = self.folder.beside(file.path, name)
        if submodule is not None:
            self.follow(submodule, None)
        elif not self._follow_stars(file, name):
            self.follow(file.path, None)
