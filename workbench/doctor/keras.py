"""Keras with its backend, in a process of its own that is started as a worker is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from workbench.doctor.check import Check
from workbench.durations import format_duration
from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import Device
from workbench.execution.environment import environment
from workbench.execution.machine import usable_cores
from workbench.types import Backend

PROBE = Path(__file__).with_name("keras_probe.py")
LIMIT_SECONDS = 120.0
"""For an import that takes 4 to 20 s; with a cold disk and a busy machine TensorFlow's has been seen to take 52 s."""


def keras_check(backend: Backend, seconds: float = LIMIT_SECONDS, probe: Path = PROBE) -> Check:
    """Import Keras with a backend, compute something, and say which devices it sees; after ``seconds`` it is ended."""
    name = f"keras on {backend}"
    with tempfile.TemporaryDirectory() as folder:
        options = ExecutorOptions(backend=backend, logs=Path(folder))
        settings = environment(options, Device(slot=0, threads=usable_cores(), memory_mb=0.0))
        # A file for what it says: a pipe would be held open by whatever an import leaves running.
        errors = Path(folder) / "errors"
        answer = Path(folder) / "answer"
        with answer.open("wb") as output, errors.open("wb") as trouble:
            command = [sys.executable, "-P", str(probe)]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=trouble, env=settings, start_new_session=True
            )
            code = _wait(process, seconds)
        if code is None:
            remedy = (
                f"{_hint(backend)} See where it hangs: KERAS_BACKEND={backend} python -X faulthandler -c 'import keras'"
            )
            return Check("keras", name, "problem", f"not imported after {format_duration(seconds)}", remedy)
        if code != 0:
            remedy = f"{_hint(backend)} Try it alone: KERAS_BACKEND={backend} python -c 'import keras'"
            found = f"cannot be used ({_ended(code)}): {_last_line(errors)}"
            return Check("keras", name, "problem", found, remedy)
        return _answered(name, backend, json.loads(answer.read_text("utf-8")))


def _answered(name: str, backend: Backend, answer: dict[str, object]) -> Check:
    devices = answer["devices"]
    shown = _devices(devices if isinstance(devices, list) else [])
    found = f"{shown}; imported in {format_duration(float(str(answer['seconds'])))}"
    if answer["backend"] != backend:
        remedy = "Something sets another backend after the start: look into ~/.keras/keras.json and sitecustomize."
        return Check("keras", name, "problem", f"took the backend {answer['backend']}", remedy)
    return Check("keras", name, "ok", found)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Return the exit code, ``None`` if the time was not enough; nothing of the process is left in either case."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _devices(devices: Sequence[str]) -> str:
    """Return the kinds of devices and how many there are: ``1 cpu, 2 gpu``."""
    kinds = Counter(device.partition(":")[0].lower() for device in devices)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no devices"


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_line(errors: Path) -> str:
    lines = [line.strip() for line in errors.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _hint(backend: Backend) -> str:
    other = "tensorflow" if backend == "jax" else "jax"
    return f"Install anew (make install), or choose another backend (training.backend: {other})."
