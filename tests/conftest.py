"""What every test gets: few threads, no network but loopback, no MLflow of the person who runs it, temporary stores."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before any library is imported: they read these once. A test process must not fight its neighbours for cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(variable, "2")
os.environ["MPLBACKEND"] = "Agg"
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Tests build the same few networks again and again, here and in workers: each program is compiled once. With a limit of
# size JAX takes a lock; without one, a process may read what another one has half written.
# The processes of pytest-xdist have the folder of the one that starts them; a folder of one's own outlives the session.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="workbench-compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(2**30)
# Only variables set outside change what MLflow does; a test that needs one sets it itself.
for variable in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[variable]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

# What is started in a shell's background, or by nohup, ignores these signals, and so would every process that the tests
# start, and are to stop. A handler that does nothing keeps them from this process, and is not inherited.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from tests.postgres import CannotStart, PostgresServer  # noqa: E402
from workbench.store.database import sqlite_url  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("WORKBENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))

# Deadlines are a source of flaky failures on a busy machine; the same examples are tried in every run.
settings.register_profile(
    "workbench", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("workbench")


MADE_ONCE = ("alice", "estimators", "site")
"""Fixtures that take seconds to make: all tests that use one share a process of pytest-xdist."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Send every test that starts Keras to the same process of pytest-xdist, so that it is imported once."""
    for item in items:
        group = next((name for name in MADE_ONCE if name in getattr(item, "fixturenames", ())), None)
        group = "keras" if item.get_closest_marker("keras") else group
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    if hasattr(config, "workerinput"):
        # The long ones begin first, so that no process is left alone with one at the end.
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function of a data set's name that gives its folder, and skips the test where it is absent."""

    def folder(name: str) -> Path:
        found = SHARED_DATA / name
        if not found.is_dir():
            pytest.skip(f"no data set '{name}': {found} is absent; WORKBENCH_SHARED_DATA may name another folder")
        return found

    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty folder for one test's ledger, vault and tracking."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the session. What uses it belongs to the xdist group `postgres`, so that there is one."""
    try:
        server = PostgresServer()
    except CannotStart as error:
        pytest.skip(f"no PostgreSQL here: {error}")
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database for one test's ledger: a SQLite file, and then a database of the PostgreSQL server."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "ledger.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, where MLflow's default store lies too, so that nothing is written beside the code."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it itself in some calls
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse to connect to anything but this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def allowed(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise PermissionError(f"tests may connect to this machine only, not to {address[0]}:{address[1]}")

    def guarded(sock: socket.socket, address: Any) -> None:
        allowed(sock, address)
        connect(sock, address)

    def guarded_ex(sock: socket.socket, address: Any) -> int:
        allowed(sock, address)
        return connect_ex(sock, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    patch.setattr(socket.socket, "connect_ex", guarded_ex)
    yield
    patch.undo()


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
