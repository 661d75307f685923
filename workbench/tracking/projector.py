"""The projector: a process of its own, at low priority, that shows the ledger in MLflow and TensorBoard.

The driver starts it and holds its standard input. End of file there means "finish what there is, then exit": it comes
when the driver closes it and when the driver dies, so a projector is never left behind. When a target cannot be
reached, the driver and the other target go on; the position stays, and the next projector catches up.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from workbench.store.ledger import Ledger
from workbench.tracking.locks import try_lock
from workbench.tracking.positions import TENSORBOARD, mlflow_name, projection_names
from workbench.tracking.projection import Journal, Projection
from workbench.tracking.target import PAGE, Target
from workbench.tracking.uri import sqlite_file

POLL = 0.2
"""Seconds between two looks at the ledger."""
LAST_TRIES = 2
"""After the end of input, a target that fails so often is left to the next projector."""
NICENESS = 10
LEDGER_VARIABLE, URI_VARIABLE = "WORKBENCH_PROJECTOR_LEDGER", "WORKBENCH_PROJECTOR_URI"
"""Environment by which a driver tells a projector where to read and where to write."""

# --- in this process -------------------------------------------------------------------------------------------------


def replay(journal: Journal, projections: Iterable[Projection], after: int = 0) -> int:
    """Apply every event behind position ``after`` to projections, and return the last position.

    For repairs and tests. Positions in the journal are advanced, never set back; errors are raised.
    """
    last = after
    targets = tuple(projections)
    while page := journal.events(last, PAGE):
        for position, at, event in page:
            for projection in targets:
                projection.apply(position, at, event)
            last = position
    for projection in targets:
        if journal.position(projection.name) < last:
            journal.advance(projection.name, last)
    return last


# --- the driver's side -----------------------------------------------------------------------------------------------


class Projector:
    """The driver's handle of a running projector."""

    def __init__(self, process: subprocess.Popen[bytes], ledger: Journal, names: Sequence[str]) -> None:
        """Watch a process that advances the positions ``names`` in a ledger."""
        self._process, self._ledger, self._names = process, ledger, tuple(names)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait(self, position: int, timeout: float) -> bool:
        """Wait until everything up to ``position`` is shown; ``False`` if it is not after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self.shown(position):
            if self._process.poll() is not None or time.monotonic() >= deadline:
                return self.shown(position)
            time.sleep(0.05)
        return True

    def shown(self, position: int) -> bool:
        """Say whether every target shows everything up to ``position``."""
        return all(self._ledger.position(name) >= position for name in self._names)

    def close(self, timeout: float = 30.0) -> bool:
        """Let it finish what there is and exit; ``False`` if something is left for the next projector.

        After ``timeout`` seconds it is stopped. Nothing is lost by that: positions move only when an event is shown.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False


def catch_up(ledger: Ledger, store: Path, uri: str, *, tensorboard: bool, timeout: float) -> bool:
    """Show what earlier projectors could not; say whether everything is shown. Costs nothing where nothing is left."""
    last, names = ledger.last_position(), projection_names(uri, tensorboard=tensorboard)

    def shown() -> bool:
        return all(ledger.position(name) >= last for name in names)

    file, deadline = sqlite_file(uri), time.monotonic() + timeout
    there = (file is None or file.exists()) and (not tensorboard or (store / "tensorboard").exists())
    if shown() and there:
        return True
    while start_projector(ledger, store, uri, tensorboard=tensorboard).close(max(1.0, deadline - time.monotonic())):
        if shown() or time.monotonic() > deadline:
            return shown()
        time.sleep(1.0)  # the projector of a driver that was killed is still at work, and the only one that may be
    return False


def start_projector(ledger: Ledger, store: Path, uri: str, *, tensorboard: bool = True) -> Projector:
    """Start a projector of a ledger; its messages go to ``<store>/logs/projector.log``.

    It is in a session of its own: Ctrl-C in the terminal ends the driver, and the end of input then ends it in order.
    """
    log = log_file(store)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "workbench.tracking.projector"]
    command += ["--store", str(store)]
    command += [] if tensorboard else ["--no-tensorboard"]
    # URLs may hold passwords, and everybody can read command lines.
    environment = {**os.environ, LEDGER_VARIABLE: ledger.url, URI_VARIABLE: uri}
    with log.open("ab") as messages:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=messages, stderr=messages, env=environment, start_new_session=True
        )
    return Projector(process, ledger, projection_names(uri, tensorboard=tensorboard))


def log_file(store: Path) -> Path:
    """Return the file that projectors write their messages to."""
    return store / "logs" / "projector.log"


# --- the process -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a projector until its input ends; return 0 if everything was shown, 4 if something is left."""
    parser = argparse.ArgumentParser(prog="python -m workbench.tracking.projector", description=main.__doc__)
    ledger_url, default_uri = os.environ.get(LEDGER_VARIABLE), os.environ.get(URI_VARIABLE)
    parser.add_argument("--ledger", default=ledger_url, required=not ledger_url, help="SQLAlchemy URL of the ledger")
    parser.add_argument("--store", required=True, type=Path, help="the workbench's folder")
    parser.add_argument("--tracking-uri", default=default_uri, required=not default_uri, help="MLflow tracking URI")
    parser.add_argument("--no-tensorboard", action="store_true", help="write no TensorBoard files")
    given = parser.parse_args(arguments)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    _settle(given.tracking_uri)
    store: Path = given.store.resolve()
    ledger = Ledger.open(given.ledger)
    lock = _lock(store / "projector.lock")
    if lock is None:
        return 0  # another projector of this store is at work and our driver has ended
    targets = _targets(ledger, store, given.tracking_uri, tensorboard=not given.no_tensorboard)
    try:
        return 0 if follow(ledger, targets) else 4
    finally:
        ledger.close()
        lock.close()


def follow(journal: Journal, targets: Sequence[Target]) -> bool:
    """Show events as they come until the input ends; say whether everything was shown."""
    last = False
    while True:
        if not last and _input_ended():
            last = True
            for target in targets:
                target.try_now()
        progress = {target.name: target.catch_up(journal) for target in targets}
        given_up = [t for t in targets if progress[t.name] == "failing" and t.failures >= LAST_TRIES]
        if last and all(progress[t.name] == "done" or t in given_up for t in targets):
            return not given_up
        if "more" not in progress.values():
            _wait(POLL, for_input=not last)


def _targets(ledger: Ledger, store: Path, uri: str, *, tensorboard: bool) -> list[Target]:
    """Return the targets; one that is not there (any more) starts from event 0."""
    # TensorBoard first: it is there at once, while MLflow takes seconds to import.
    targets = [Target(TENSORBOARD, lambda: _open_tensorboard(ledger, store))] if tensorboard else []
    targets.append(Target(mlflow_name(uri), lambda: _open_mlflow(ledger, uri, store)))
    file = sqlite_file(uri)
    fresh = {
        mlflow_name(uri): file is not None and not file.exists(),
        TENSORBOARD: not (store / "tensorboard").exists(),
    }
    for target in targets:
        if fresh[target.name] and ledger.position(target.name) > 0:
            ledger.advance(target.name, 0)
    return targets


def _open_mlflow(ledger: Ledger, uri: str, store: Path) -> Projection:
    from workbench.tracking.mlflow_projection import MlflowProjection

    return MlflowProjection(ledger, uri, store)


def _open_tensorboard(ledger: Ledger, store: Path) -> Projection:
    from workbench.tracking.tensorboard_projection import TensorBoardProjection

    return TensorBoardProjection(ledger, store)


def _settle(uri: str) -> None:
    """Give MLflow, before it is imported, settings that suit a process nobody waits for; the user's own win."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    from workbench.tracking.environment import ENVIRONMENT

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _lock(path: Path) -> IO[str] | None:
    """Wait until this store has no other projector: two would make runs twice. ``None`` if the input ends first."""
    while (lock := try_lock(path)) is None:
        if _input_ended():
            return None
        _wait(POLL, for_input=True)
    return lock


def _input_ended() -> bool:
    """Say whether standard input is at its end; what is written to it is thrown away."""
    ready, _, _ = select.select([0], [], [], 0.0)
    return bool(ready) and os.read(0, 4096) == b""


def _wait(seconds: float, *, for_input: bool) -> None:
    """Sleep, but not longer than until the input ends."""
    if for_input:
        select.select([0], [], [], seconds)
    else:
        time.sleep(seconds)


if __name__ == "__main__":
    sys.exit(main())
