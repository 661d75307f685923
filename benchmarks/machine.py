"""On what a benchmark ran: figures without it mean nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

PACKAGES = (
    "workbench",
    "jax",
    "keras",
    "keras-tuner",
    "lightgbm",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "tensorboard",
    "tensorflow",
    "xgboost",
)


class Machine(BaseModel):
    """A machine, and how busy it was when the benchmark began."""

    model_config = ConfigDict(frozen=True)

    system: str
    processor: str
    cores: int
    """Logical cores that this process may use."""
    memory_gb: float
    load: float | None
    """Processes that wanted a core, averaged over the minute before; ``None`` where the system does not say."""


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(
        system=platform.platform(),
        processor=_processor(),
        cores=len(usable_cores()),
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that weigh."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the model's name; ``platform`` knows only the architecture on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
