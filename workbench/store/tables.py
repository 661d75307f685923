"""The ledger's tables. Values are kept as the JSON text of their pydantic models."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 3
"""Of these tables. An older ledger is migrated after a backup (`workbench.store.migration`), a newer one is refused."""

metadata = MetaData()

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Integer, nullable=False),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("started", DateTime(timezone=True), nullable=False),
    Column("finished", DateTime(timezone=True)),
    Column("delivery", Text),
)

studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("experiment", String(100), nullable=False),
    Column("family", Text, nullable=False),
    Column("space", Text),
    Column("ground", Text, nullable=False, server_default=""),
    Column("created", DateTime(timezone=True), nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study", ForeignKey("studies.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("values", Text),
    Column("origin", String(10), nullable=False, server_default="search"),
    Column("note", Text, nullable=False, server_default=""),
    Column("stage", String(10), nullable=False, server_default="whole"),
    Column("suggestion", Text, nullable=False, server_default=""),
    Column("screening", Text, nullable=False, server_default=""),
    UniqueConstraint("study", "number"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trial", ForeignKey("trials.id"), nullable=False, index=True),
    Column("parent", Integer),
    Column("sweep", ForeignKey("sweeps.id"), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("owner", String(200), nullable=False),
    Column("token", String(32), nullable=False),
    Column("lease_until", DateTime(timezone=True), nullable=False),
    Column("started", DateTime(timezone=True), nullable=False),
    Column("finished", DateTime(timezone=True)),
    Column("result", Text),
    Column("failure", Text),
)

reports = Table(
    "reports",
    metadata,
    Column("attempt", ForeignKey("attempts.id"), primary_key=True),
    Column("split", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("value", Float, nullable=False),
    Column("loss", Float),
)

events = Table(
    "events",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("payload", Text, nullable=False),
)

projections = Table(
    "projections",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("position", Integer, nullable=False),
)

Index("trials_by_state", trials.c.study, trials.c.state)
