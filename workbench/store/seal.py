"""Seals: the checksums of a fit's files, by which one that a disk or a crash has changed is told from a sound one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import StoreError

FILE = "sums.json"
"""SHA-256 by path. What is not in it (an older fit's files, predictions of a later test table) is not checked."""


def seal(folder: Path) -> None:
    """Write the checksums of everything below a folder into it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != FILE)
    _write(folder, {path.relative_to(folder).as_posix(): _sum(path) for path in files})


def unseal(folder: Path, parts: set[str]) -> None:
    """Forget the checksums of parts (names directly below the folder), which may then go or be made anew."""
    sums = _read(folder)
    kept = {name: value for name, value in sums.items() if name.partition("/")[0] not in parts}
    if kept != sums:
        _write(folder, kept)


def broken(folder: Path) -> str:
    """Return what is wrong with the first sealed file that is not as it was, or an empty string.

    Raises:
        StoreError: a file cannot be read, for a reason that says nothing of its content.
    """
    try:
        for name, value in _read(folder).items():
            if _sum(folder / name) != value:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).relative_to(folder)} is gone"
    except ValueError as error:
        return f"{FILE} cannot be read: {error}"
    except OSError as error:
        raise StoreError(f"{folder} cannot be read: {error}") from error
    return ""


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, str]:
    """Return a folder's checksums; none where it was never sealed.

    Raises:
        ValueError: they cannot be read.
    """
    try:
        found = json.loads((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError("it is no table of checksums")
    return found


def _write(folder: Path, sums: Mapping[str, str]) -> None:
    temporary = folder / f".{FILE}-{os.getpid()}"
    temporary.write_text(json.dumps(sums, indent=1) + "\n", "utf-8")
    temporary.replace(folder / FILE)
