"""Imports Keras with the backend of ``KERAS_BACKEND``, computes a sum, and prints what there is as one line of JSON.

Run as a file in a process of its own: an import that hangs or crashes takes nothing with it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Print the versions and devices on the standard output that was given, whatever libraries print there."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    began = time.monotonic()
    import keras

    backend = keras.backend.backend()
    total = float(keras.ops.sum(keras.ops.ones((4, 4))))
    if total != 16.0:
        raise ArithmeticError(f"the sum of sixteen ones is {total}")
    found = {
        "keras": keras.__version__,
        "backend": backend,
        "devices": _devices(backend),
        "seconds": time.monotonic() - began,
    }
    print(json.dumps(found), file=answer, flush=True)


def _devices(backend: str) -> list[str]:
    if backend == "jax":
        import jax

        return [f"{device.platform}:{device.id}" for device in jax.devices()]
    tensorflow = sys.modules[backend]  # imported by Keras
    return [device.name.removeprefix("/physical_device:") for device in tensorflow.config.list_physical_devices()]


if __name__ == "__main__":
    main()
