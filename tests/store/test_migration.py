"""Ledgers of older versions of the tables."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from workbench.errors import StoreError
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger


def write_v1(file):
    """Write a ledger as version 1 left it: a complete trial and a queued one; return its dump."""
    old = sqlite3.connect(file)
    old.executescript(Path(__file__).with_name("ledger_v1.sql").read_text())
    found = list(old.iterdump())
    old.close()
    return found


def dump(file):
    connection = sqlite3.connect(file)
    found = list(connection.iterdump())
    connection.close()
    return found


def test_an_older_ledger_is_migrated_after_a_backup(tmp_path):
    before = write_v1(tmp_path / "ledger.db")
    migrated = Ledger.open(sqlite_url(tmp_path / "ledger.db"))
    assert [(t.name, t.state, t.origin, t.note) for t in migrated.trials(1)] == [
        ("mlp#0000", "complete", "search", ""),
        ("mlp#0001", "queued", "search", ""),
    ]
    assert [event.kind for _, _, event in migrated.events(0)] == ["trial.started", "trial.finished"] * 2
    study = migrated.open_study("k", "e", "mlp")
    assert [migrated.claim(study, 1, 3).turn for _ in range(2)] == [1, 2]
    assert migrated.claim_tried(study, 1, {}, "").number == 3
    migrated.close()
    Ledger.open(sqlite_url(tmp_path / "ledger.db")).close()
    assert dump(tmp_path / "ledger.db.v1-backup") == before
    assert sorted(file.name for file in tmp_path.glob("*[!l]")) == ["ledger.db", "ledger.db.v1-backup"]


def test_a_ledger_whose_backup_fails_is_left_alone(tmp_path):
    before = write_v1(tmp_path / "ledger.db")
    (tmp_path / "ledger.db.v1-backup").mkdir()
    with pytest.raises(StoreError, match=r"its backup .* failed"):
        Ledger.open(sqlite_url(tmp_path / "ledger.db"))
    assert dump(tmp_path / "ledger.db") == before


def test_a_database_on_any_server_is_migrated_in_a_transaction(ledger_url):
    first = Ledger.open(ledger_url)
    study, sweep = first.open_study("k", "e", "mlp"), first.open_sweep("e")
    first.claim(study, sweep, 1)
    first.close()
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        for column in ("origin", "note", "stage", "suggestion", "screening"):
            connection.execute(text(f"ALTER TABLE trials DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE studies DROP COLUMN ground"))
        connection.execute(text("UPDATE counters SET value = 1 WHERE name = 'version'"))
    engine.dispose()
    migrated = Ledger.open(ledger_url)
    assert [(t.number, t.origin, t.note) for t in migrated.trials(study.id)] == [(0, "search", "")]
    assert migrated.claim_tried(study, sweep, {}, "").number == 1
    migrated.close()
