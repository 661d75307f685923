"""The state of a training at the end of an epoch, in one file without pickle: all or nothing, the one before kept."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG = logging.getLogger("workbench.checkpoints")
ABOUT = "about"
"""Name of the array that holds what is no array, as JSON in UTF-8."""

State = tuple[dict[str, NDArray[Any]], dict[str, Any]]
"""Arrays by name, and JSON types."""


def write_state(file: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write a state; what ``file`` held before becomes the older one.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"part-{uuid.uuid4().hex[:8]}-{file.name}")
    members: dict[str, Any] = {ABOUT: np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **arrays}
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, **members)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            file.replace(_older(file))
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def read_states(file: Path, damaged: Path) -> Iterator[State]:
    """Yield the states that can be read, the newest first; files that cannot are moved into the folder ``damaged``."""
    for path in (file, _older(file)):
        try:
            yield _read(path)
        except FileNotFoundError:
            continue
        except Exception as error:  # garbage raises whatever the readers of zip and npy files come upon
            set_aside(path, damaged, error)


def set_aside(path: Path, damaged: Path, error: object) -> None:
    """Move a damaged checkpoint out of the way, and say so in the worker's log."""
    to = damaged / f"checkpoint-{path.parent.name}-{path.name}-{uuid.uuid4().hex[:8]}"
    LOG.warning(
        "the checkpoint %s cannot be used: %s. It is kept as %s; an older one is used, else the split begins anew",
        *(path, error, to),
    )
    with contextlib.suppress(OSError):
        damaged.mkdir(parents=True, exist_ok=True)
        path.rename(to)


def remove_states(file: Path) -> None:
    """Remove a state and the one before."""
    for path in (file, _older(file)):
        path.unlink(missing_ok=True)


def _older(file: Path) -> Path:
    return file.with_name(f"older-{file.name}")


def _read(path: Path) -> State:
    # Each array is read to its end, where the archive's checksum is compared.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    about: dict[str, Any] = json.loads(arrays.pop(ABOUT).tobytes())
    return arrays, about
