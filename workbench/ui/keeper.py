"""Keeps a server as long as whoever asked for it lives: ``python -m workbench.ui.keeper COMMAND …``.

The end of standard input is what the asker's end looks like from here, however it came (SIGKILL too). Then the server
and every process that it started are ended. It imports nothing heavy: it only waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

GRACE_SECONDS = 3.0
"""How long a server may take to end when it is asked to."""


def keep(command: Sequence[str]) -> int:
    """Run a command until it ends or standard input does; return its exit code."""
    # A session of its own: the server and all that it starts form one group, which can be ended as a whole.
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    try:
        return server.wait()
    finally:
        _signal(server, signal.SIGKILL)


def _end_with_input(server: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    _signal(server, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(GRACE_SECONDS)
    _signal(server, signal.SIGKILL)


def _signal(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group outlives its first process while others of it run. On macOS a group of zombies gives PermissionError.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Keep the command that the arguments are."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(keep(sys.argv[1:]))


if __name__ == "__main__":
    main()
