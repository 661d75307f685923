"""Older ledgers: each version of the tables from the one before it, after a backup where the ledger is a file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, text, update

from workbench.errors import StoreError
from workbench.store.tables import VERSION, counters

STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE trials ADD COLUMN origin VARCHAR(10) NOT NULL DEFAULT 'search'",
        "ALTER TABLE trials ADD COLUMN note TEXT NOT NULL DEFAULT ''",
    ),
    2: (
        "ALTER TABLE trials ADD COLUMN stage VARCHAR(10) NOT NULL DEFAULT 'whole'",
        "ALTER TABLE trials ADD COLUMN suggestion TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE trials ADD COLUMN screening TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE studies ADD COLUMN ground TEXT NOT NULL DEFAULT ''",
    ),
}
"""What leads from a version to the next one. New columns have defaults: a driver of the older version that is still at
work goes on."""


def migrate(connection: Connection, version: int) -> None:
    """Bring a ledger from ``version`` to the current one, in the caller's transaction, which is its only writer.

    Raises:
        StoreError: the backup cannot be written; the ledger is left as it is.
    """
    database = connection.engine.url.database
    if connection.dialect.name == "sqlite" and database:
        _back_up(Path(database), version)
    for step in range(version, VERSION):
        for statement in STEPS[step]:
            connection.execute(text(statement))
    connection.execute(update(counters).where(counters.c.name == "version").values(value=VERSION))


def _back_up(file: Path, version: int) -> None:
    """Copy a SQLite file to ``<file>.v<version>-backup``, all or nothing.

    Through SQLite, not as a file: to close a file that SQLite has locked gives up the locks of the whole process.
    """
    backup = file.with_name(f"{file.name}.v{version}-backup")
    partial = backup.with_name(f".{backup.name}")
    try:
        partial.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.replace(backup)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the ledger {file} is of an older version, and its backup {backup} failed: {error}"
        ) from error
