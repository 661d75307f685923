"""Compiled programs on disk: JAX's persistent compilation cache, as the workers of a store share it.

Below the folder of programs lies one for each kind of worker. JAX's own key of a program names what was traced,
versions, XLA's flags, a GPU's kind and the number of devices; not a CPU's instructions, for want of which another one
would crash, nor the number of threads that loops were cut for. All of it may be deleted at any time. What JAX cannot
read it compiles, and warns in the worker's log.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

LIMIT_BYTES = 2**30
"""Of one kind of worker; the least recently used programs give way. With a limit JAX locks the folder, so that no
worker reads what another one has half written."""
KEPT = 2000
"""Programs that are left when a worker starts: JAX looks at each one (35 µs) whenever it writes another."""
UNUSED_DAYS = 30.0
"""After which the programs of another kind of worker are deleted."""
LOCK_SECONDS = 1.0

DECIDING = (
    *("vendor_id", "cpu family", "model", "model name", "flags"),  # x86
    *("Features", "CPU implementer", "CPU architecture", "CPU variant", "CPU part"),  # ARM
    "isa",  # RISC-V
)
"""Lines of ``/proc/cpuinfo`` that say for which CPU XLA generates code."""

ENTRY = "-cache"
USED = "-atime"
LOCK = ".lockfile"
"""Names that JAX gives: a program's file, that of its last use, and the lock of the folder."""


def variables(programs: Path, threads: int, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment by which JAX keeps its programs there; what the user has set himself (``given``) stays.

    XLA's own caches stay off: their folder must exist, and be kept apart by version (as its flag's description says).
    """
    if "JAX_COMPILATION_CACHE_DIR" in given:
        return {}
    chosen = {
        "JAX_COMPILATION_CACHE_DIR": str((programs / kind(threads)).absolute()),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(LIMIT_BYTES),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    }
    return {name: value for name, value in chosen.items() if name not in given}


# --- kinds of workers ------------------------------------------------------------------------------------------------


def kind(threads: int) -> str:
    """Return the name of this machine's folder for workers of so many threads: ``x86_64-4-1f0c2a9b``."""
    digest = hashlib.sha256(_cpu().encode()).hexdigest()[:8]
    return f"{platform.machine() or 'cpu'}-{threads}-{digest}"


@functools.cache
def _cpu() -> str:
    """Return what this machine's CPU is told by; where no system says it, the machine's name: it shares with none."""
    with contextlib.suppress(OSError):
        return features(Path("/proc/cpuinfo").read_text("utf-8", "replace")) or platform.node()
    return platform.node()


def features(cpuinfo: str) -> str:
    """Return what decides on machine code of ``/proc/cpuinfo``, a line for each different core; empty if it says none.

    Frequencies, microcode and the cores' numbers do not count, nor does the order of flags.
    """
    cores = set()
    for core in cpuinfo.split("\n\n"):
        fields = (line.partition(":") for line in core.splitlines())
        told = {name.strip(): " ".join(sorted(value.split())) for name, _, value in fields}
        cores.add("; ".join(f"{name}: {told[name]}" for name in DECIDING if name in told))
    return "\n".join(sorted(cores - {""}))


# --- what is kept ----------------------------------------------------------------------------------------------------


def tend(programs: Path, threads: int) -> None:
    """Put the folder in order before a worker starts; what cannot be done is left, no worker needs it.

    A worker that was killed while it wrote leaves a program without a last use, after which JAX writes no other.
    """
    from filelock import FileLock, Timeout

    own = programs / kind(threads)
    with contextlib.suppress(OSError, Timeout):
        own.mkdir(parents=True, exist_ok=True)
        os.utime(own)
        _delete_unused(programs)
        with FileLock(own / LOCK, timeout=LOCK_SECONDS):
            _delete_torn_and_old(own)


def _delete_unused(programs: Path) -> None:
    for folder in programs.iterdir():
        if folder.stat().st_mtime < time.time() - UNUSED_DAYS * 86_400.0:
            shutil.rmtree(folder, ignore_errors=True)


def _delete_torn_and_old(folder: Path) -> None:
    with os.scandir(folder) as entries:
        there = {entry.name: entry.stat() for entry in entries}
    last_used = {}
    for name, stat in there.items():
        key = name.removesuffix(ENTRY)
        if key != name:
            used = there.get(key + USED)
            last_used[key] = used.st_mtime if used and stat.st_size else 0.0
    newest = sorted(last_used, key=lambda key: last_used[key], reverse=True)[:KEPT]
    for key in last_used.keys() - {key for key in newest if last_used[key]}:
        (folder / (key + USED)).unlink(missing_ok=True)
        (folder / (key + ENTRY)).unlink(missing_ok=True)
