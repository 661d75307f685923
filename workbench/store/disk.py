"""Disks that are full: how much is free, and which errors say that nothing is."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

from workbench.errors import causes

LITTLE_MB = 64.0
"""Free MiB below which a sweep should not begin another trial: a fit, a checkpoint and a ledger's page must fit."""

NOTHING_MB = 1.0
"""Free MiB below which a write that failed for no other known reason failed for want of space."""

FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)

_SQLITE_FULL = "SQLITE_FULL"
_POSTGRES_FULL = "53100"
"""PostgreSQL's SQLSTATE ``disk_full``."""
_TEXT = re.compile(
    r"no space left on device|disk quota exceeded|database or disk is full|\d+ requested and \d+ written", re.IGNORECASE
)
"""What libraries that keep no ``errno`` pass on of the system's message (HDF5), or say themselves (the last: numpy)."""


def free_mb(path: Path) -> float:
    """Return the MiB that may still be written where ``path`` is, or would be made.

    Raises:
        OSError: the file system does not answer.
    """
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return float(shutil.disk_usage(there).free / 2**20)


def is_full(error: BaseException) -> bool:
    """Say whether an error, or one that it was raised from, means that a disk or a quota is full."""
    return any(_means_full(each) for each in causes(error))


def _means_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL_ERRORS:
        return True
    if getattr(error, "sqlite_errorname", None) == _SQLITE_FULL or getattr(error, "sqlstate", None) == _POSTGRES_FULL:
        return True
    return _TEXT.search(str(error)) is not None
