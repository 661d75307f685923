"""Backups of a ledger that is a SQLite file: taken while it is used, all or nothing, and only of a sound one.

``ledger.db.backup`` is the newest, ``ledger.db.backup-1`` the one before it. A ledger on a server has its own.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from workbench.errors import StoreError

SUFFIXES = (".backup", ".backup-1")
"""Of the backups' files, the newest first."""

SIDE_FILES = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database; with another database in its place these would be applied to that one."""

PATIENCE_SECONDS = 10.0
"""How long another's transaction is waited for."""


@dataclass(frozen=True)
class Backup:
    """A sound copy of a ledger."""

    file: Path
    at: datetime
    """When it was taken."""
    trials: int
    sweeps: int

    def __str__(self) -> str:
        """Say which it is, from when, and what it holds."""
        return f"{self.file.name} of {self.at.astimezone():%Y-%m-%d %H:%M} with {self.trials} trials"


def ledger_file(url: str) -> Path | None:
    """Return the file of a ledger that is one; ``None`` for a ledger in memory or on a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def back_up(url: str) -> Backup | None:
    """Copy a ledger beside itself, all or nothing; the backup that was there is kept as ``.backup-1``.

    Costs well under a second with 10,000 trials. Where two drivers do it at once, the later copy stays.

    Returns:
        The backup; ``None`` where the ledger is on a server, or is not there.

    Raises:
        StoreError: the ledger is damaged, or the copy cannot be written; the backups are left as they are.
    """
    file = ledger_file(url)
    if file is None or not file.is_file():
        return None
    newest, older = (_beside(file, suffix) for suffix in SUFFIXES)
    partial = file.with_name(f".{file.name}.backup-{os.getpid()}")
    try:
        _copy(file, partial)
        with contextlib.suppress(FileNotFoundError):
            newest.replace(older)
        partial.replace(newest)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the ledger {file} could not be backed up: {error}; its backups stay as they are") from error
    finally:
        partial.unlink(missing_ok=True)
    return _inspect(newest)


def sound_backups(file: Path) -> list[Backup]:
    """Return the backups of a ledger's file that can be read from beginning to end, the newest first."""
    found = (_inspect(_beside(file, suffix)) for suffix in SUFFIXES)
    return [backup for backup in found if backup is not None]


def damage(file: Path, table: str = "trials") -> str:
    """Return what is wrong with a SQLite file that should have a table, or an empty string where all is well.

    Raises:
        StoreError: it cannot be told: the file is absent, locked for long, or must not be read.
    """
    try:
        with _opened(file) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if said == "ok":
                connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
            return "" if said == "ok" else str(said).rpartition("\n")[2]
    except (OSError, sqlite3.Error) as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such table" in str(error):
            return str(error)
        raise StoreError(f"{file} cannot be examined: {error}") from error


def is_lost(file: Path) -> bool:
    """Say whether a ledger's file is absent or empty, as before the first run and after an accident."""
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)


def place_aside(path: Path, why: str) -> Path:
    """Return where a file or folder goes that has to give way, beside itself: ``ledger.db.damaged-20261120T221503``."""
    return path.with_name(f"{path.name}.{why}-{datetime.now().astimezone():%Y%m%dT%H%M%S}")


def move_aside(path: Path, why: str) -> Path:
    """Move a file or folder to `place_aside`, and return that.

    Raises:
        StoreError: it cannot be moved.
    """
    aside = place_aside(path, why)
    try:
        path.rename(aside)
    except OSError as error:
        raise StoreError(f"{path} cannot be moved: {error}") from error
    return aside


def restore(file: Path, backup: Backup) -> Path | None:
    """Put a backup in a ledger's place, and return where the damaged file is now; nothing is deleted.

    Raises:
        StoreError: a file cannot be copied or moved; the ledger is as it was.
    """
    partial = file.with_name(f".{file.name}.restored-{os.getpid()}")
    aside = place_aside(file, "damaged")
    try:
        _copy(backup.file, partial)
        there = file.exists()
        for suffix in (*SIDE_FILES, ""):  # the file last: its journal must not be left for another one
            with contextlib.suppress(FileNotFoundError):
                file.with_name(file.name + suffix).replace(aside.with_name(aside.name + suffix))
        partial.replace(file)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{backup.file} could not be put in the place of {file}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return aside if there else None


def hint(file: Path) -> str:
    """Say what to do about a ledger's file that is damaged or gone."""
    backups = sound_backups(file)
    if not backups:
        return (
            "There is no sound backup beside it. Move it away to begin a new one: fits that the vault holds are not "
            "trained again."
        )
    return (
        f"The newest good backup is {backups[0]}: 'workbench doctor --repair' on the experiment puts it in its place. "
        f"To begin a new ledger, move {file.name} and {file.name}.backup* away."
    )


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that is there; not read-only, so that what a killed process left half written is rolled back.

    Locks are SQLite's own: a ledger's file must not be opened otherwise, for closing it gives up the process's locks.
    """
    uri = f"{file.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_SECONDS)) as connection:
        yield connection


def _copy(file: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    with _opened(file) as source, contextlib.closing(sqlite3.connect(partial)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")  # all or nothing is what the renaming gives
        source.backup(copy)
    if said := damage(partial):
        raise sqlite3.DatabaseError(said)
    with partial.open("rb") as written:
        os.fsync(written.fileno())


def _inspect(file: Path) -> Backup | None:
    """Return what a backup's file holds; ``None`` if it is absent or not sound."""
    if not file.is_file():
        return None
    try:
        if damage(file):
            return None
        with _opened(file) as connection:
            (trials,) = connection.execute("SELECT COUNT(*) FROM trials").fetchone()
            (sweeps,) = connection.execute("SELECT COUNT(*) FROM sweeps").fetchone()
    except (StoreError, sqlite3.Error):
        return None
    return Backup(file, datetime.fromtimestamp(file.stat().st_mtime, UTC), int(trials), int(sweeps))


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)
