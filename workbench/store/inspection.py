"""Looking into a ledger without changing it: no tables are made, nobody is waited for, nothing is repaired."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from workbench.errors import StoreError
from workbench.store.database import shown_url
from workbench.store.owner import known_dead
from workbench.store.tables import VERSION, attempts, counters, events, projections, studies, sweeps, trials
from workbench.types import Failure, TrialResult, TrialState, trial_name

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long another's transaction is waited for."""


@dataclass(frozen=True)
class OpenSweep:
    """A sweep that has not been closed. ``dead`` is only known of drivers of this machine."""

    number: int
    owner: str
    dead: bool


@dataclass(frozen=True)
class LedgerState:
    """What a ledger holds of one experiment; sweeps and events are the whole ledger's."""

    version: int
    trials: dict[str, int]
    failures: dict[str, int]
    """Failed trials by failure code."""
    last_failure: Failure | None
    open_sweeps: tuple[OpenSweep, ...]
    last_sweep: int
    """Number of the newest sweep, 0 if there is none."""
    last_position: int
    positions: dict[str, int]
    """How far each projection has read."""
    fit_keys: tuple[str, ...]
    """Of complete trials, the newest first."""


@dataclass(frozen=True)
class Recorded:
    """A trial as the ledger's tables have it, of whatever experiment."""

    id: int
    experiment: str
    name: str
    state: TrialState
    attempt: int
    """Of its attempts the last one; 0 where it has none."""
    result: TrialResult | None
    """Only of a complete trial."""


def inspect_ledger(url: str, experiment: str) -> LedgerState | None:
    """Return what a ledger holds; ``None`` if there is none yet.

    Raises:
        StoreError: it cannot be opened or read, is no ledger, or was written by a newer version.
    """
    return _looked(url, lambda connection: _state(connection, experiment))


def recorded_trials(url: str) -> list[Recorded]:
    """Return every trial of a ledger by id, from its tables and not from its events.

    Raises:
        StoreError: it cannot be opened or read.
    """
    return _looked(url, _recorded) or []


def _looked(url: str, look: Callable[[Connection], T | None]) -> T | None:
    """Return what a look at a ledger finds; ``None`` if there is none yet."""
    try:
        engine = _engine(url)
        if engine is None:
            return None
        try:
            with engine.connect() as connection:
                return look(connection)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ModuleNotFoundError, ValueError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise StoreError(f"the ledger {shown_url(url)} cannot be read: {str(reason).strip()}") from error


def _engine(url: str) -> Engine | None:
    try:
        parsed = make_url(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f"ledger URL '{shown_url(url)}' cannot be used: {error}") from error
    if parsed.get_backend_name() != "sqlite":
        seconds = int(PATIENCE_SECONDS)
        postgres = parsed.get_backend_name() == "postgresql"
        return create_engine(url, connect_args={"connect_timeout": seconds} if postgres else {})
    path = Path(parsed.database or "")
    if not path.is_file() or path.stat().st_size == 0:
        return None
    # Not read-only: a transaction that a killed driver left behind must be rolled back before anything can be read.
    file = f"{path.resolve().as_uri()}?mode=rw"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(file, uri=True, timeout=PATIENCE_SECONDS))


def _state(connection: Connection, experiment: str) -> LedgerState | None:
    names = set(inspect(connection).get_table_names())
    if not names:
        return None
    missing = {table.name for table in (counters, sweeps, studies, trials, attempts, events, projections)} - names
    if missing:
        raise StoreError(f"{shown_url(str(connection.engine.url))} is no ledger: it lacks {', '.join(sorted(missing))}")
    counts = {row.name: row.value for row in connection.execute(select(counters))}
    version = counts.get("version", 0)
    if version > VERSION:
        raise StoreError(f"the ledger has version {version}, this program knows {VERSION}: upgrade the workbench")
    failures = list(_failures(connection, experiment))
    codes = [failure.code for failure in failures]
    return LedgerState(
        version=version,
        trials=_trials(connection, experiment),
        failures={code: codes.count(code) for code in dict.fromkeys(codes)},
        last_failure=failures[0] if failures else None,
        open_sweeps=_open_sweeps(connection),
        last_sweep=connection.execute(select(func.max(sweeps.c.id))).scalar() or 0,
        last_position=counts.get("events", 0),
        positions={row.name: row.position for row in connection.execute(select(projections))},
        fit_keys=tuple(dict.fromkeys(_fit_keys(connection, experiment))),
    )


def _recorded(connection: Connection) -> list[Recorded] | None:
    if not inspect(connection).has_table(trials.name):
        return None
    last = select(attempts.c.trial, func.max(attempts.c.id).label("id")).group_by(attempts.c.trial).subquery()
    query = (
        select(trials, studies.c.family, studies.c.experiment, attempts.c.id.label("attempt"), attempts.c.result)
        .join(studies, studies.c.id == trials.c.study)
        .outerjoin(last, last.c.trial == trials.c.id)
        .outerjoin(attempts, attempts.c.id == last.c.id)
        .order_by(trials.c.id)
    )
    return [
        Recorded(
            id=row.id,
            experiment=row.experiment,
            name=trial_name(row.family, row.number),
            state=row.state,
            attempt=row.attempt or 0,
            result=TrialResult.model_validate_json(row.result) if row.state == "complete" and row.result else None,
        )
        for row in connection.execute(query)
    ]


def _trials(connection: Connection, experiment: str) -> dict[str, int]:
    query = (
        select(trials.c.state, func.count().label("total"))
        .join(studies, studies.c.id == trials.c.study)
        .where(studies.c.experiment == experiment)
        .group_by(trials.c.state)
        .order_by(trials.c.state)
    )
    return {row.state: row.total for row in connection.execute(query)}


def _open_sweeps(connection: Connection) -> tuple[OpenSweep, ...]:
    query = select(sweeps.c.id, sweeps.c.owner).where(sweeps.c.state == "running").order_by(sweeps.c.id)
    return tuple(OpenSweep(row.id, row.owner, known_dead(row.owner)) for row in connection.execute(query))


def _failures(connection: Connection, experiment: str) -> Iterator[Failure]:
    for text in _ended(connection, experiment, "failed", "failure"):
        yield Failure.model_validate_json(text)


def _fit_keys(connection: Connection, experiment: str) -> Iterator[str]:
    for text in _ended(connection, experiment, "complete", "result"):
        yield TrialResult.model_validate_json(text).fit_key


def _ended(connection: Connection, experiment: str, state: str, column: str) -> Iterator[str]:
    """Yield a column of the attempts of an experiment that ended in a state, the newest first."""
    query = (
        select(attempts.c[column])
        .join(trials, trials.c.id == attempts.c.trial)
        .join(studies, studies.c.id == trials.c.study)
        .where(studies.c.experiment == experiment, attempts.c.state == state, attempts.c[column].is_not(None))
        .order_by(attempts.c.id.desc())
    )
    yield from connection.execute(query).scalars()
