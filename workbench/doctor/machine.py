"""The machine: operating system, cores, memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

from workbench.doctor.check import Check, gibibytes
from workbench.execution.machine import memory, usable_cores

ENOUGH_MEMORY = 1.5 * 2**30
"""Bytes. A worker with Keras and JAX takes 0.8 GiB, MLflow's process and the driver 0.3 GiB each."""


def machine_checks() -> Iterator[Check]:
    """Look at the operating system, the cores and the memory."""
    yield _system()
    yield Check("machine", "cores", "ok", _cores())
    yield _memory(*memory())


def _system() -> Check:
    found = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform.startswith(("linux", "darwin")):
        return Check("machine", "system", "ok", found)
    return Check("machine", "system", "problem", found, "Use Linux, macOS, or Windows through WSL2.")


def _cores() -> str:
    usable, there = usable_cores(), os.cpu_count() or 1
    return f"{usable} usable" + (f" of {there}" if usable < there else "")


def _memory(available: int, total: int) -> Check:
    found = f"{gibibytes(available)} available of {gibibytes(total)}"
    if available >= ENOUGH_MEMORY:
        return Check("machine", "memory", "ok", found)
    remedy = "A Keras worker takes about 1 GiB: close other programs, or search boosted trees only."
    return Check("machine", "memory", "warning", found, remedy)
