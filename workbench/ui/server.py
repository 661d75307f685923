"""A running server: started under a keeper, asked whether it answers, ended with everything that it started."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import time

from workbench.errors import StoreError
from workbench.ports import LOOPBACK
from workbench.ui.commands import ServerCommand
from workbench.ui.keeper import GRACE_SECONDS

ANSWER_SECONDS = 5.0
SHOWN_LINES = 12
"""Of a log, in an error."""


class Server:
    """A server as a context manager; it ends with the block, or with this process however that ends."""

    def __init__(self, command: ServerCommand) -> None:
        """Start the server; what it says goes to its log."""
        self.command = command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal reaches this process alone.
            self._keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench.ui.keeper", *command.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=command.environment,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()
        try:
            self._keeper.wait(GRACE_SECONDS + 2.0)
        except subprocess.TimeoutExpired:
            self._keeper.terminate()
            self._keeper.wait()

    @property
    def pid(self) -> int:
        """The keeper's process id."""
        return self._keeper.pid

    def release(self) -> None:
        """Let the keeper end the server, without waiting for it."""
        if self._keeper.stdin is not None:
            with contextlib.suppress(OSError):
                self._keeper.stdin.close()

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the server answers.

        Raises:
            StoreError: it ended, or does not answer in time; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        while self.get(self.command.health) is None:
            self.check()
            if time.monotonic() > deadline:
                raise StoreError(f"{self.command.name} does not answer after {seconds:.0f} s.{self._log()}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise if the server has ended.

        Raises:
            StoreError: the message has the end of its log.
        """
        code = self._keeper.poll()
        if code is not None:
            raise StoreError(f"{self.command.name}'s server ended by itself (exit code {code}).{self._log()}")

    def get(self, path: str) -> bytes | None:
        """Return what the server answers to a GET; ``None`` if it is no 200."""
        # http.client knows no proxies: none may stand between this machine and itself.
        connection = http.client.HTTPConnection(LOOPBACK, self.command.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.read() if response.status == http.client.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _log(self) -> str:
        try:
            lines = self.command.log.read_text("utf-8", "replace").splitlines()[-SHOWN_LINES:]
        except OSError:
            lines = []
        said = "".join(f"\n  {line}" for line in lines)
        return f" Its output is in {self.command.log}{':' if said else '.'}{said}"
