"""Ledgers that are damaged, and the backups that they are restored from."""

import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from workbench.errors import StoreError
from workbench.store.backup import back_up, damage, restore, sound_backups
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def url(file):
    return sqlite_url(file)


def add_trials(url, count):
    """Leave a ledger of ``count`` running trials in all."""
    with closing(Ledger.open(url)) as ledger:
        study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
        while ledger.claim(study, sweep, count) is not None:
            pass


def fill(file, trials):
    """Add rows as large as those of real trials, quickly."""
    with closing(sqlite3.connect(file)) as base, base:
        numbers = range(1, trials)
        base.executemany(
            "INSERT INTO trials (study, number, state, 'values') VALUES (1, ?, 'complete', ?)",
            [(n, '{"lr": 0.1}' * 20) for n in numbers],
        )
        base.executemany("INSERT INTO events VALUES (?, '2026-01-01', ?)", [(n, "x" * 2000) for n in numbers])
        base.executemany("INSERT INTO reports VALUES (1, ?, ?, 0.5, 0.5)", [(n, e) for n in numbers for e in range(9)])


def test_a_backup_of_10000_trials_takes_less_than_a_second_and_the_one_before_is_kept(file, url):
    add_trials(url, 1)
    back_up(url)
    fill(file, 10_000)
    began = time.monotonic()
    made = back_up(url)
    assert time.monotonic() - began < 1.0
    assert (made.trials, made.sweeps) == (10_000, 1)
    assert [backup.trials for backup in sound_backups(file)] == [10_000, 1]
    assert "ledger.db.backup of 20" in str(made)
    assert str(made).endswith("with 10000 trials")
    assert sorted(each.name for each in file.parent.iterdir()) == [
        "ledger.db",
        "ledger.db.backup",
        "ledger.db.backup-1",
    ]


def test_a_backup_is_taken_between_transactions_of_others(url):
    add_trials(url, 1)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(add_trials, url, 30)
        while not writing.done():
            assert back_up(url).trials >= 1
    assert damage(back_up(url).file) == ""
    assert back_up(url).trials == 30


def test_only_what_is_a_file_and_there_is_backed_up(url, postgres):
    assert back_up(url) is None
    assert back_up("sqlite://") is None
    assert back_up(postgres.database()) is None


def harm(file, how):
    good = file.read_bytes()
    noise = random.Random(0).randbytes(len(good))
    half = len(good) // 2
    if how == "directory":
        file.unlink()
        file.mkdir()
        return
    contents = {"zero bytes": b"", "random bytes": noise, "truncated": good[:half], "torn page": good[: half + 17]}
    # From the third page on: the header and the tables' list are sound, so that it opens.
    contents["garbage inside"] = good[:8192] + noise[8192:]
    file.write_bytes(contents[how])


@pytest.mark.parametrize(
    "how", ["zero bytes", "random bytes", "truncated", "torn page", "garbage inside", "directory", "absent"]
)
def test_a_damaged_ledger_is_refused_with_the_backup_and_left_alone(file, url, how):
    add_trials(url, 4)
    back_up(url)
    if how == "absent":
        file.unlink()
    else:
        harm(file, how)
    before = file.read_bytes() if file.is_file() else None
    with pytest.raises(StoreError, match=str(file)) as told:
        use(url)
    if how != "directory":
        assert "ledger.db.backup of 20" in str(told.value)
        assert "with 4 trials: 'workbench doctor --repair'" in str(told.value)
    if how not in ("directory", "absent"):
        with pytest.raises(StoreError, match="stay as they are"):
            back_up(url)
    assert (file.read_bytes() if file.is_file() else None) == before
    assert [backup.trials for backup in sound_backups(file)] == [4]


def use(url):
    """Read and write everything of a ledger."""
    with closing(Ledger.open(url)) as ledger:
        ledger.trials(1)
        ledger.events(0)
        ledger.claim(ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e"), 100)


def test_without_a_backup_the_way_out_is_told_and_an_empty_file_is_a_new_ledger(file, url):
    file.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match=r"no sound backup beside it\. Move it away to begin a new one"):
        use(url)
    file.write_bytes(b"")
    use(url)


def test_a_damaged_backup_is_passed_over(file, url):
    add_trials(url, 2)
    back_up(url)
    add_trials(url, 3)
    back_up(url).file.write_bytes(b"garbage" * 1000)
    assert [(backup.file.name, backup.trials) for backup in sound_backups(file)] == [("ledger.db.backup-1", 2)]


def test_a_restored_ledger_is_the_backup_and_the_damaged_one_is_kept_with_its_journal(file, url):
    add_trials(url, 2)
    backup = back_up(url)
    file.write_bytes(b"garbage" * 1000)
    file.with_name("ledger.db-journal").write_bytes(b"of the damaged file")
    aside = restore(file, backup)
    assert aside.read_bytes() == b"garbage" * 1000
    assert aside.with_name(f"{aside.name}-journal").read_bytes() == b"of the damaged file"
    assert not file.with_name("ledger.db-journal").exists()
    assert damage(file) == ""
    use(url)
    file.unlink()
    assert restore(file, backup) is None
    assert sound_backups(file) == [backup]
