"""Room on disk for prepared splits: what was not used for the longest time gives way."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

PREFIX = "prepared-"
"""How the names of the folders begin that share the room; each has the splits of one preparation of one table."""
MOST_BYTES = 20e9
SHARE = 0.1
"""Of the disk that would be free without them: they are a help, not what a store is for."""
UNUSED_SECONDS = 3600.0
"""A folder that was used since is not removed: workers who have mapped its files would keep the disk from it."""


def make_room(cache: Path, needed: float, *, keep: Path) -> bool:
    """Say whether ``needed`` bytes may be written below ``cache``, where unused folders are removed for them.

    Args:
        cache: the folder that holds those of prepared splits.
        needed: bytes.
        keep: the folder that they are for, which stays.

    Raises:
        OSError: the file system does not answer.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for gone in cache.glob(f".{PREFIX}*"):  # of a process that ended while it removed one
        shutil.rmtree(gone, ignore_errors=True)
    held = {folder: _bytes(folder) for folder in cache.glob(f"{PREFIX}*")}
    free = shutil.disk_usage(cache).free
    excess = sum(held.values()) + needed - min(MOST_BYTES, SHARE * (free + sum(held.values())))
    unused = sorted((used, folder) for folder in held if folder != keep and (used := _used(folder)) < _long_ago())
    if excess > sum(held[folder] for _, folder in unused):
        return False
    for _, folder in unused:
        if excess <= 0:
            break
        remove(folder)
        excess -= held[folder]
    return True


def touch(folder: Path) -> None:
    """Note that a folder is in use."""
    with suppress(OSError):  # it gave way, or the store cannot be written
        os.utime(folder)


def remove(folder: Path) -> None:
    """Remove a folder at once for everybody, though its files go one by one; nothing happens where it is gone."""
    gone = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _long_ago() -> float:
    return time.time() - UNUSED_SECONDS


def _used(folder: Path) -> float:
    with suppress(OSError):
        return folder.stat().st_mtime
    return time.time()


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process removes it at this moment
            total += path.stat().st_size
    return total
