"""What an exported model needs installed, pinned to what it was trained with.

MLflow would find out by importing the whole model in another process, which takes a minute; this is known beforehand.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

ALWAYS = ("mlflow", "numpy", "pandas", "pyarrow", "pydantic", "scikit-learn", "scipy")
BY_KIND = {
    "keras": ("keras",),
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
    "catboost": ("catboost",),
    "skops": ("skops",),
}
BY_BACKEND = {"jax": ("jax",), "tensorflow": ("tensorflow",)}


def requirements(kinds: Iterable[str], backend: str | None, code: Iterable[Path]) -> list[str]:
    """Return ``name==version`` of each distribution that predicting needs, sorted.

    Args:
        kinds: The kinds of bundles (``keras``, ``lightgbm`` …).
        backend: Keras backend, or ``None``.
        code: The experiment's own Python files; what they import and is installed is needed too.
    """
    names = set(ALWAYS).union(*(BY_KIND.get(kind, ()) for kind in kinds), BY_BACKEND.get(backend or "", ()))
    known = packages_distributions()
    for module in _imported(code) - sys.stdlib_module_names - {"workbench"}:
        names.update(known.get(module, ())[:1])
    return [f"{name}=={found}" for name in sorted(names, key=str.casefold) if (found := _installed(name))]


def _imported(files: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
