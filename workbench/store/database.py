"""Opening a ledger's database: SQLite with what many writers need, or any other by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from workbench import signals
from workbench.errors import StoreError
from workbench.store.backup import hint, is_lost, ledger_file, sound_backups
from workbench.store.migration import migrate
from workbench.store.tables import VERSION, counters, metadata

BUSY_SECONDS = 30.0
"""How long a writer waits for another's transaction on SQLite before it gives up."""

_SCHEMA_LOCK = 7_262_519_048_231
"""Key of the PostgreSQL advisory lock under which the schema is made."""


def now() -> datetime:
    """Return the current time, with its zone."""
    return datetime.now(UTC)


def aware(moment: datetime) -> datetime:
    """Return a moment read from the database with its zone; SQLite drops it."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def sqlite_url(path: Path) -> str:
    """Return the SQLAlchemy URL of a SQLite file."""
    return URL.create("sqlite", database=str(path.resolve())).render_as_string(hide_password=False)


def open_database(url: str) -> Engine:
    """Open a database, make its tables where there are none, and bring older ones up to date after a backup.

    Raises:
        StoreError: the URL is wrong, the server does not answer, the file is not a database, or it was written by a
            newer version.
    """
    try:
        engine = create_engine(url, connect_args=_connect_args(url), pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise StoreError(f"ledger URL '{shown_url(url)}' cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    try:
        _open(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _open(engine: Engine) -> None:
    _refuse_lost(engine)
    try:
        with signals.deferred(), engine.begin() as connection:
            _make_schema(connection)
    except OperationalError as error:
        raise StoreError(f"the ledger {_where(engine)} cannot be opened: {error.orig}") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction. Ctrl-C and SIGTERM wait for its end, which would keep the database locked.

    Raises:
        StoreError: the database is locked, gone, full or damaged; nothing was written.
    """
    try:
        with signals.deferred(), engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreError(f"the ledger cannot be written: {error.orig}; run again when it can") from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a read transaction, which keeps writers of SQLite away: Ctrl-C and SIGTERM wait for its end, too."""
    with signals.deferred(), engine.connect().execution_options(reading=True) as connection:
        yield connection


def unreadable(what: str, error: Exception) -> StoreError:
    """Return what to raise for text in a ledger that is not what was written: SQLite does not see that of its cells."""
    return StoreError(
        f"the ledger is damaged, or of another version: {what} cannot be read. Put a backup in its place: for a file, "
        f"move it away and run 'workbench doctor DIR --repair'. In detail: {error}"
    )


def _refuse_lost(engine: Engine) -> None:
    """Refuse to make a new ledger where a backup tells that there was one."""
    file = ledger_file(engine.url.render_as_string(hide_password=False))
    if file is not None and is_lost(file) and sound_backups(file):
        what = "is empty" if file.exists() else "is not there"
        raise StoreError(f"the ledger {file} {what}, but was once. {hint(file)}")


def _tell_damage(context: ExceptionContext) -> None:
    """Tell a damaged file with its remedy, whichever statement finds the damage."""
    name = getattr(context.original_exception, "sqlite_errorname", None) or ""
    if context.engine is None or not name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return
    where = _where(context.engine)
    raise StoreError(
        f"the ledger {where} is damaged or not a database ({context.original_exception}); it was left untouched. "
        f"{hint(Path(where))}"
    ) from context.original_exception


def next_count(connection: Connection, name: str) -> int:
    """Increment a counter and return it; the row's lock orders concurrent transactions."""
    row = counters.c.name == name
    value = connection.execute(
        update(counters).where(row).values(value=counters.c.value + 1).returning(counters.c.value)
    ).scalar_one()
    return int(value)


def shown_url(url: str) -> str:
    """Return a database's URL without its password; of a SQLite file, the file."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return url.rpartition("@")[2]
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.database
    return parsed.render_as_string(hide_password=True)


def _where(engine: Engine) -> str:
    return shown_url(engine.url.render_as_string(hide_password=True))


def insert_new(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that leaves a row with the same key as it is."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()


def _connect_args(url: str) -> dict[str, Any]:
    return {"timeout": BUSY_SECONDS, "check_same_thread": False} if url.startswith("sqlite") else {}


def _prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy begin transactions, each as a writer from its start: two readers that upgrade would deadlock."""
    if engine.url.database:
        folder = Path(engine.url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store {folder} cannot be made: {error.strerror}; name another with --store"
            ) from error

    event.listen(engine, "handle_error", _tell_damage)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        # To overwrite the journal's head is four times as fast as to make and remove a file, and as safe.
        connection.execute("PRAGMA journal_mode = PERSIST")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _make_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
    metadata.create_all(connection)
    found = connection.execute(select(counters.c.value).where(counters.c.name == "version")).scalar()
    if found is None:
        start = [{"name": "version", "value": VERSION}, {"name": "events", "value": 0}]
        connection.execute(insert(counters), start)
    elif found > VERSION:
        raise StoreError(
            f"the ledger {_where(connection.engine)} has version {found}, this program knows {VERSION}: "
            "upgrade the workbench, or use another --store."
        )
    elif found < VERSION:
        migrate(connection, found)
