"""Where the objects of a notebook come from: the modules to import for them, and whose files those are."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

_INSTALLED = tuple(
    {Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {Path(__file__).resolve().parents[2] / "workbench"}
)


def imported_modules(text: str) -> list[str]:
    """Return the modules that a definition imports when it is called; of ``from a import b`` also ``a.b``."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def module_name(module: ModuleType) -> str:
    """Return a name under which a module can be imported; lazy and renamed modules have others than their own."""
    if sys.modules.get(module.__name__) is module:
        return module.__name__
    return next((name for name, loaded in list(sys.modules.items()) if loaded is module), module.__name__)


def attribute_import(name: str, value: Any) -> str | None:
    """Return the import of an object that says where it comes from, if that is true."""
    module, attribute = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(attribute, str) or module in ("__main__", "builtins"):
        return None
    if getattr(sys.modules.get(module), attribute, None) is not value:
        return None
    return f"from {module} import {attribute}" + ("" if attribute == name else f" as {name}")


def submodule(node: ast.AST, name: str, module: ModuleType) -> str | None:
    """Return the submodule that an attribute access such as ``scipy.stats`` stands for."""
    if not isinstance(node, ast.Attribute):
        return None
    parts = [node.attr]
    while isinstance(node.value, ast.Attribute):
        node = node.value
        parts.append(node.attr)
    if not isinstance(node.value, ast.Name) or node.value.id != name:
        return None
    path = ".".join([module.__name__, *reversed(parts)])
    return path if path in sys.modules else None


def local_root(module: str) -> Path | None:
    """Return the folder of ``sys.path`` in which a user's module lies; ``None`` for what is installed, or no module."""
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ValueError, ModuleNotFoundError):
        return None
    places = [spec.origin] if spec is not None and spec.has_location else []
    if spec is not None and spec.submodule_search_locations:
        places = list(spec.submodule_search_locations)
    for place in places:
        root = Path(str(place)).resolve().parent
        inside = any((root / top).is_relative_to(folder) for folder in _INSTALLED)
        if not inside and module_file(root, module) is not None:
            return root
    return None


def module_file(root: Path, module: str) -> Path | None:
    """Return a module's file below ``root``."""
    base = root.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
