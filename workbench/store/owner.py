"""Who holds a lease: a process, recognisable after its death on the same host."""

from __future__ import annotations

import os
import socket

import psutil

START_SLACK = 5.0
"""Seconds by which a process's start may seem to move: it is counted from the boot, whose time a clock's step moves."""


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
        other = abs(float(_start(process)) - float(start)) > START_SLACK
        return other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _start(process: psutil.Process) -> str:
    return f"{process.create_time():.2f}"
