"""Is what a pack brings what it says? Looked at without running or unpickling any of it.

A fit may hold arrays (npy, npz: numbers and text, no objects), JSON, and models in their libraries' own formats, which
are parsed and not executed: LightGBM's text, UBJ, CBM, Parquet. skops rebuilds objects by the names of their types, so
those are looked at. What is left that can run is the user's code, which is copied, named, and not imported.
"""

from __future__ import annotations

import contextlib
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from workbench import registry
from workbench.errors import DataError, FactoryError
from workbench.exchange.manifest import CODE, REFERENCE, PackedFile
from workbench.exchange.opening import RATIO, SLACK, UNREADABLE
from workbench.models.family import Family
from workbench.types import FamilyRef

JSON_BYTES = 256 * 2**20
MODELS = frozenset({"keras", "lightgbm", "xgboost", "catboost", "forest", "skops"})
"""Kinds of models that a bundle may say it holds."""

TRUSTED = ("sklearn.", "scipy.", "lightgbm.", "xgboost.", "numpy.random.", "collections.", "numpy.dtype", "numpy.core.")
"""Types that a pack without code may bring in skops, beside those that skops trusts: no functions of builtins, none of
ours. A pack with code is trusted with that code as a whole, once somebody exports or predicts."""

NEVER = frozenset({"testing", "_testing", "tests", "conftest", "f2py"})
"""Parts of those packages that execute text."""


# --- references ------------------------------------------------------------------------------------------------------


def family_problem(family: FamilyRef, code: tuple[PackedFile, ...]) -> str:
    """Return why a family is not believed, or an empty string: it must name a built-in, or the pack's own code.

    What is imported by a reference could be anything that is installed.
    """
    if family.preparation not in registry.references("preparations"):
        return f"no preparation '{family.preparation}' here"
    if family.root is None and _built_in(family.factory) is None:
        return f"'{family.factory}' is no built-in family here"
    if family.root is not None and (said := _own_problem(family.factory, family.root, code)):
        return said
    features = family.features
    return "" if features is None else _own_problem(features.reference, features.root, code)


def same_version(family: FamilyRef) -> bool:
    """Say whether a built-in's code is that of its trials: a network's weights fit no other one."""
    found = _built_in(family.factory)
    return family.root is not None or (found is not None and found.code == family.code)


def _built_in(factory: str) -> Family | None:
    for name in registry.references("families"):
        found = None
        with contextlib.suppress(FactoryError):  # an entry point of a package that is broken
            found = registry.resolve("families", name)
        if isinstance(found, Family) and found.build == factory:
            return found
    return None


def _own_problem(reference: str, root: Path, code: tuple[PackedFile, ...]) -> str:
    folder, (module, _, _) = PurePosixPath(root), reference.partition(":")
    if not REFERENCE.fullmatch(reference):
        return f"'{reference}' is no 'module:attribute'"
    file = f"{folder.name}/{module.replace('.', '/')}.py"
    if folder.parent != PurePosixPath(CODE) or file not in {each.path for each in code}:
        return f"'{reference}' is not in the code that the pack brings"
    return ""


# --- files -----------------------------------------------------------------------------------------------------------


def check_files(folder: Path, family: FamilyRef) -> None:
    """Look into every file of a fit that was unpacked into a folder.

    Raises:
        DataError: one of them is not what its name says, or holds what is not to be trusted.
    """
    for path in sorted(folder.rglob("*")):
        look = _LOOKS.get(path.suffix)
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or look is None:
            continue
        try:
            look(path)
            if path.suffix == ".skops" and family.root is None and family.features is None:
                _skops_types(path)
            if path.name == "bundle.json":
                _bundle(path)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        except (*UNREADABLE, OSError, KeyError, TypeError) as error:
            raise DataError(f"{name} is damaged: {error}") from error


def _json(path: Path) -> Any:
    if path.stat().st_size > JSON_BYTES:
        raise DataError(f"it has {path.stat().st_size:,} bytes, which is more than any that we write")
    return json.loads(path.read_text("utf-8"))


def _bundle(path: Path) -> None:
    content = _json(path)
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in MODELS:
        raise DataError(f"it has a model of the kind {str(kind)[:60]!r}; expected one of {', '.join(sorted(MODELS))}")


def _npy(path: Path) -> None:
    with path.open("rb") as stream:
        _array(stream, path.stat().st_size)


def _npz(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        _check_unpacked(path, archive)
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                raise DataError(f"it holds {entry.filename[:80]!r}, which is no array")
            with archive.open(entry) as stream:
                _array(stream, entry.file_size)


def _array(stream: IO[bytes], size: int) -> None:
    """Read an array's header: its numbers must be plain, and as many as there are bytes for."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"it holds an array of the format {version}; expected 1.0 or 2.0")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(f"it holds an array of {str(dtype)[:60]}; expected numbers or text, since objects are pickles")
    if math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise DataError(f"its array of shape {shape} does not fit its {size:,} bytes")


def _skops(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        _check_unpacked(path, archive)
        for entry in archive.infolist():
            if entry.filename.endswith(".npy"):
                with archive.open(entry) as stream:
                    _array(stream, entry.file_size)


def _skops_types(path: Path) -> None:
    import skops.io

    try:
        types = skops.io.get_untrusted_types(file=path)
    except Exception as error:  # whatever its reader trips over
        raise DataError(f"it cannot be read: {error}") from error
    odd = [name for name in types if not name.startswith(TRUSTED) or NEVER & set(name.split("."))]
    if odd:
        raise DataError(f"it holds types that are not trusted: {', '.join(odd)[:300]}")


def _check_unpacked(path: Path, archive: zipfile.ZipFile) -> None:
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > RATIO * path.stat().st_size + SLACK:
        raise DataError(f"it would unpack to {unpacked:,} bytes")


_LOOKS: dict[str, Callable[[Path], Any]] = {".json": _json, ".npy": _npy, ".npz": _npz, ".skops": _skops}
"""The others are parsed by their libraries alone, when a model is loaded."""


# --- predictions -----------------------------------------------------------------------------------------------------


def check_predictions(name: str, array: np.ndarray[Any, Any], rows: int, outputs: int) -> None:
    """Raise `DataError` unless predictions are finite float64 ``(rows, outputs)``."""
    if array.shape != (rows, outputs) or array.dtype != np.float64:
        found = f"{array.dtype} of shape {array.shape}"
        raise DataError(f"{name}: expected float64 of shape {(rows, outputs)}, got {found}")
    if not np.isfinite(array).all():
        raise DataError(f"{name}: {int((~np.isfinite(array)).sum())} predictions are not finite")
