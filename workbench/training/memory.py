"""The most memory that one fit holds: a worker runs many, so the most since its start says little of the last."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PROCESS = Path("/proc/self")


def begin_peak() -> None:
    """Measure anew from here on: what `peak_mb` says is of the time since this call.

    On Linux the kernel's high-water mark is set back (``man 5 proc``, ``clear_refs``). Elsewhere, and where a sandbox
    does not allow it, the peak is that of the process since its start.
    """
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5", "ascii")
    if (tensorflow := _keras_on("tensorflow")) is not None:
        for device in _gpus(tensorflow):
            tensorflow.config.experimental.reset_memory_stats(device)


def peak_mb() -> float:
    """Return the most memory that this process has held since `begin_peak`, in MB of 10^6 bytes."""
    with suppress(OSError):
        for line in (PROCESS / "status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def gpu_peak_mb() -> float:
    """Return the most memory that this process has held on one GPU, in MB of 10^6 bytes; 0 without one.

    The library's own counter, of what was in use, not of what its allocator had reserved. JAX's cannot be set back: it
    counts from the process's start. A library that is not loaded is not loaded for this.
    """
    peaks = [0]
    if (jax := _keras_on("jax")) is not None:
        gpus = [device for device in jax.local_devices() if device.platform == "gpu"]
        peaks += [(device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in gpus]
    if (tensorflow := _keras_on("tensorflow")) is not None:
        peaks += [tensorflow.config.experimental.get_memory_info(device)["peak"] for device in _gpus(tensorflow)]
    return max(peaks) / 1e6


def _keras_on(backend: str) -> Any:
    """Return the backend's module if Keras runs on it in this process: to ask another one would start it."""
    keras = sys.modules.get("keras")
    used = keras is not None and hasattr(keras, "config") and keras.config.backend() == backend
    return sys.modules.get(backend) if used else None


def _gpus(tensorflow: Any) -> list[str]:
    return [device.name.removeprefix("/device:") for device in tensorflow.config.list_logical_devices("GPU")]
