"""The ports that ``workbench ui`` would take."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import psutil

from workbench.doctor.check import Check
from workbench.ports import is_free

PORTS = {"MLflow": 5000, "TensorBoard": 6006}


def port_checks(ports: dict[str, int] | None = None) -> Iterator[Check]:
    """Say whether the ports are free, and who has them if not."""
    for name, port in (ports or PORTS).items():
        title = f"{port} for {name}"
        if is_free(port):
            yield Check("ports", title, "ok", "free")
        else:
            option = "--tensorboard-port" if name == "TensorBoard" else "--port"
            remedy = f"workbench ui takes the next free one, or the one you name with {option}."
            yield Check("ports", title, "warning", f"taken by {_holder(port)}", remedy)


def _holder(port: int) -> str:
    """Return who listens on a port, as far as this user may know."""
    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port
        ]
        process = next((psutil.Process(pid) for pid in found if pid is not None), None)
        if process is not None:
            return f"process {process.pid} ({' '.join(process.cmdline())[:80]})"
    except psutil.Error:  # on macOS only root may ask
        pass
    if sys.platform == "darwin" and port == 5000:
        return "another program: probably AirPlay Receiver (System Settings, General, AirDrop & Handoff)"
    return "another user's program"
