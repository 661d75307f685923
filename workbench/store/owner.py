"""Who holds a lease: a process, recognisable after its death on the same host."""

from __future__ import annotations

import os
import socket

import psutil


def this_process() -> str:
    """Return ``host:pid:start`` of this process; a recycled pid has another start."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start(psutil.Process())}"


def known_dead(owner: str) -> bool:
    """Say whether an owner ran on this host and is gone. Of other hosts nothing is known but their leases."""
    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        return _start(process) != start or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _start(process: psutil.Process) -> str:
    return f"{process.create_time():.2f}"
