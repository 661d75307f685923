"""The append-only log of events, the epoch reports, and how far each projection has read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Row, insert, select, update

from workbench.store import tables
from workbench.store.database import aware, insert_new, next_count, now, reading, unreadable, writing
from workbench.store.events import EVENT, Event
from workbench.types import Reported


class Report(NamedTuple):
    """A validation value of one split at one epoch (1-based)."""

    split: int
    epoch: int
    value: float
    loss: float | None


def append(connection: Connection, event: Event) -> int:
    """Write an event in the caller's transaction and return its position (from 1, without gaps)."""
    position = next_count(connection, "events")
    payload = EVENT.dump_json(event).decode()
    connection.execute(insert(tables.events).values(position=position, at=now(), payload=payload))
    return position


def events(engine: Engine, after: int, limit: int) -> list[tuple[int, datetime, Event]]:
    """Return up to ``limit`` events behind position ``after``, in order.

    Raises:
        StoreError: one of them is not what was written.
    """
    table = tables.events
    query = select(table).where(table.c.position > after).order_by(table.c.position).limit(limit)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [(row.position, aware(row.at), _event(row)) for row in rows]


def _event(row: Row[Any]) -> Event:
    try:
        return EVENT.validate_json(row.payload)
    except ValidationError as error:
        raise unreadable(f"event {row.position}", error) from error


def last_position(engine: Engine) -> int:
    """Return the position of the newest event, 0 if there is none."""
    query = select(tables.counters.c.value).where(tables.counters.c.name == "events")
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())


def position(engine: Engine, projection: str) -> int:
    """Return the position up to which a projection has applied events."""
    table = tables.projections
    with reading(engine) as connection:
        found = connection.execute(select(table.c.position).where(table.c.name == projection)).scalar()
    return int(found or 0)


def advance(engine: Engine, projection: str, to: int) -> None:
    """Note that a projection has applied everything up to ``to``."""
    table = tables.projections
    with writing(engine) as connection:
        connection.execute(insert_new(connection, table).values(name=projection, position=to))
        connection.execute(update(table).where(table.c.name == projection).values(position=to))


def write_reports(engine: Engine, rows: Sequence[tuple[int, Reported]]) -> None:
    """Write epoch reports of attempts; what is there already is left as it is, and what is not finite is left out."""
    values = [
        {"attempt": attempt, "split": r.split, "epoch": r.epoch, "value": r.value, "loss": r.loss}
        for attempt, r in rows
        if math.isfinite(r.value)
    ]
    if not values:
        return
    with writing(engine) as connection:
        connection.execute(insert_new(connection, tables.reports), values)


def reports(engine: Engine, attempt: int) -> list[Report]:
    """Return an attempt's reports, by split and epoch."""
    table = tables.reports
    query = (
        select(table.c.split, table.c.epoch, table.c.value, table.c.loss)
        .where(table.c.attempt == attempt)
        .order_by(table.c.split, table.c.epoch)
    )
    with reading(engine) as connection:
        return [Report(*row) for row in connection.execute(query)]
