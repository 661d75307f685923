"""The ports that ``workbench ui`` would take."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from workbench.doctor.check import Check
from workbench.ports import is_free

PORTS = {"MLflow": 5000, "TensorBoard": 6006}
OPTIONS = {"MLflow": "--port", "TensorBoard": "--tensorboard-port"}


def port_checks(ports: Mapping[str, int] = PORTS) -> Iterator[Check]:
    """Say whether the ports are free, and who has them if not."""
    for name, port in ports.items():
        title = f"port {port}"
        if is_free(port):
            yield Check("ports", title, "ok", f"free for {name}")
        else:
            remedy = f"workbench ui takes the next free one for {name}, or the one named with {OPTIONS[name]}."
            yield Check("ports", title, "warning", f"taken by {_holder(port)}", remedy)


def _holder(port: int) -> str:
    """Return who listens on a port, as far as this user may know."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listening if getattr(c.laddr, "port", None) == port and c.pid is not None), None)
        if pid is not None:
            return f"process {pid} ({_command(psutil.Process(pid))})"
    except psutil.Error:  # on macOS only root may ask
        pass
    if sys.platform == "darwin" and port == 5000:
        return "another program: probably AirPlay Receiver (System Settings, General, AirDrop & Handoff)"
    return "another program"


def _command(process: psutil.Process) -> str:
    """Return what a process runs, without the path of its interpreter."""
    program, *arguments = process.cmdline() or [process.name()]
    return " ".join((Path(program).name, *arguments))[:100]
