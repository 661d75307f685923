"""What this machine has that workers can use: cores, memory, GPUs. A container's limits count as the machine's."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from workbench.types import Backend

CGROUPS = Path("/sys/fs/cgroup")
ASK_SECONDS = 20.0
"""For ``nvidia-smi``: its first call after a start of the machine wakes the driver up."""
NEARLY_FULL = 0.05
"""Share of memory left: a worker that is killed from outside then was killed for want of it."""


@dataclass(frozen=True)
class Gpu:
    """A GPU, by what ``CUDA_VISIBLE_DEVICES`` calls it, and its memory in MB of 10^6 bytes (0 where nobody knows)."""

    name: str
    memory_mb: int = 0


@dataclass(frozen=True)
class Machine:
    """Cores that this process may use, memory in bytes, and the GPUs that the backend can use."""

    cores: int
    memory: int
    available: int
    gpus: tuple[Gpu, ...] = ()


def look(backend: Backend) -> Machine:
    """Return what there is now for workers of a backend."""
    available, total = memory()
    return Machine(usable_cores(), total, available, usable_gpus(backend))


# --- cores -----------------------------------------------------------------------------------------------------------


def usable_cores() -> int:
    """Return how many cores this process may keep busy: its affinity, bounded by the quota of its cgroups."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in cgroups():
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text("ascii").split()
            if quota != "max":
                cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def cgroups(root: Path = CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> Iterator[Path]:
    """Yield the folders of this process's cgroup (version 2) and of those around it; none outside of Linux."""
    try:
        lines = membership.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is not None:
        # In a container the path may be one that only the host can see: what is there is its root.
        yield from (folder for folder in ((root / own), *(root / own).parents) if folder.is_relative_to(root))


# --- memory ----------------------------------------------------------------------------------------------------------


def memory() -> tuple[int, int]:
    """Return available and total bytes; a cgroup's limit counts where it is lower than the machine's."""
    there = psutil.virtual_memory()
    available, total = there.available, there.total
    for folder in cgroups():
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / "memory.max").read_text("ascii"))
            used = int((folder / "memory.current").read_text("ascii")) - _reclaimable(folder)
            available, total = min(available, max(limit - used, 0)), min(total, limit)
    return available, total


def nearly_full() -> bool:
    """Say whether the kernel is about to look for a process to kill."""
    available, total = memory()
    return available < NEARLY_FULL * total


def _reclaimable(folder: Path) -> int:
    """Return the bytes of a cgroup's file cache that the kernel gives up first."""
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text("ascii").splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0


def kernel_kills(*statistics: Path) -> int:
    """Return how many processes the kernel has killed for want of memory; only its growth says anything.

    The first of ``statistics`` that says it counts: those of this process's cgroups, then the whole system's.
    """
    for source in statistics or (*(folder / "memory.events" for folder in cgroups()), Path("/proc/vmstat")):
        with contextlib.suppress(OSError, ValueError):
            for line in source.read_text("ascii").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


# --- GPUs ------------------------------------------------------------------------------------------------------------


def usable_gpus(backend: Backend, environment: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """Return the GPUs that a worker's backend could use: none where JAX is installed or told to run on the CPU."""
    if backend == "jax":
        platforms = environment.get("JAX_PLATFORMS", "")
        told = not platforms or {"cuda", "gpu"} & set(platforms.split(","))
        if not told or importlib.util.find_spec("jax_plugins") is None:
            return ()
    setting = environment.get("CUDA_VISIBLE_DEVICES")
    return () if setting is not None and not setting.strip() else visible(installed_gpus(), setting)


def visible(table: list[tuple[int, str, int]], setting: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs of ``table`` (index, UUID, MB) that ``CUDA_VISIBLE_DEVICES`` lets through, in its order.

    As CUDA does, it ends at the first word that names none (``-1``, say). A word that it lets through is kept as it
    is; where nothing is set the UUID names a GPU, which means the same whatever order CUDA counts in.
    """
    if setting is None:
        return tuple(Gpu(uuid, memory_mb) for _, uuid, memory_mb in table)
    found = []
    for word in (word.strip() for word in setting.split(",")):
        sizes = [
            mb for index, uuid, mb in table if word == str(index) or (word[:4] == "GPU-" and uuid.startswith(word))
        ]
        if not sizes and not (table and word.startswith("MIG-")):
            break
        found.append(Gpu(word, sizes[0] if sizes else 0))
    return tuple(found)


def installed_gpus() -> list[tuple[int, str, int]]:
    """Return index, UUID and MB of each NVIDIA GPU: from NVML where ``pynvml`` is installed, else ``nvidia-smi``."""
    if importlib.util.find_spec("pynvml") is None:
        return _asked()
    pynvml: Any = importlib.import_module("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_described(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _described(pynvml: Any, index: int) -> tuple[int, str, int]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    uuid, total = pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetMemoryInfo(handle).total
    return index, uuid.decode() if isinstance(uuid, bytes) else uuid, int(total / 1e6)


def _asked() -> list[tuple[int, str, int]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return list(_rows(said))


def _rows(said: str) -> Iterator[tuple[int, str, int]]:
    """Yield index, UUID and MB of each line ``0, GPU-…, 81559``; memory is in MiB, ``[N/A]`` where it is shared."""
    for line in said.splitlines():
        index, uuid, size = (word.strip() for word in line.split(","))
        yield int(index), uuid, int(float(size) * 2**20 / 1e6) if size.replace(".", "").isdigit() else 0
