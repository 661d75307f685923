"""Ports of this machine's loopback address."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection

from workbench.errors import ConfigError

LOOPBACK = "127.0.0.1"
SEARCHED = 50
"""So many ports after a taken one are tried."""


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of 127.0.0.1.

    Raises:
        ConfigError: this user may not listen there (usually: below 1024).
    """
    # On macOS a server on all addresses (AirPlay has 5000) does not keep another one from 127.0.0.1: ask it as well.
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As servers do; without it a port counts as taken for a minute after its last server ended.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except PermissionError:
            raise ConfigError(f"port {port}: this user may not listen there; use one from 1024 on") from None
        except OSError:
            return False
    return True


def next_free(port: int, taken: Collection[int] = ()) -> int:
    """Return ``port``, or the first port after it that is free and not among ``taken``.

    Raises:
        ConfigError: none is free.
    """
    last = min(port + SEARCHED, 65535)
    for candidate in range(port, last + 1):
        if candidate not in taken and is_free(candidate):
            return candidate
    raise ConfigError(f"no port from {port} to {last} is free; name another one, such as --port 8000")
