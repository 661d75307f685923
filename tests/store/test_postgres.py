"""What only a server does to a ledger: it cuts connections, refuses passwords, and runs transactions side by side."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, text

from tests.postgres import PASSWORD
from workbench.errors import StoreError
from workbench.store import ledger as ledger_module
from workbench.store.events import SweepFinished
from workbench.store.inspection import inspect_ledger
from workbench.store.ledger import Ledger

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def url(postgres):
    return postgres.database()


@pytest.fixture
def drivers(url):
    """Two drivers on one ledger, with connections of their own."""
    made = Ledger.open(url), Ledger.open(url)
    yield made
    for ledger in made:
        ledger.close()


def test_two_drivers_that_reap_at_once_queue_each_lost_trial_once(drivers, monkeypatch):
    first, second = drivers
    study, sweep = first.open_study("k", "e", "mlp"), first.open_sweep("e")
    monkeypatch.setattr(ledger_module, "LEASE", -ledger_module.LEASE)
    for _ in range(20):
        first.claim(study, sweep, 20)
    monkeypatch.undo()
    with ThreadPoolExecutor(2) as pool:
        lost = list(pool.map(lambda ledger: ledger.reap(), drivers))
    assert sum(lost) == 20
    assert second.counts(study.id) == {"queued": 20}
    assert [event.state for _, _, event in first.events(0)] == ["lost"] * 20


def test_a_reader_never_sees_an_event_before_the_ones_ahead_of_it(drivers):
    writers, reader = drivers
    done = threading.Event()

    def read():
        seen = []
        while not done.is_set() or len(seen) < 200:
            seen += [position for position, _, _ in reader.events(len(seen))]
            assert seen == list(range(1, len(seen) + 1))
        return len(seen)

    with ThreadPoolExecutor(9) as pool:
        reading = pool.submit(read)
        list(pool.map(lambda i: writers.append(SweepFinished(sweep=i, state="failed")), range(200)))
        done.set()
        assert reading.result(timeout=30) == 200


def test_inserts_that_conflict_leave_one_row(drivers):
    with ThreadPoolExecutor(8) as pool:
        studies = set(pool.map(lambda i: drivers[i % 2].open_study("k", "e", "mlp").id, range(32)))
        list(pool.map(lambda i: drivers[i % 2].advance("mlflow", 7), range(32)))
    assert len(studies) == 1
    assert drivers[0].position("mlflow") == 7


def test_a_server_that_was_restarted_is_connected_to_again(drivers, url):
    ledger, other = drivers
    sweep = ledger.open_sweep("e")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
    ledger.close_sweep(SweepFinished(sweep=sweep, state="complete"))
    assert other.last_position() == 1


def test_names_that_sqlite_takes_fit_too(drivers):
    """SQLite ignores a column's length, a server does not: the longest label is a family's and a feature set's name."""
    ledger, _ = drivers
    longest = f"{'f' * 100}+{'s' * 100}"
    study = ledger.open_study("k", "e" * 100, longest)
    assert ledger.claim(study, ledger.open_sweep("e" * 100), 1).study.family == longest


@pytest.mark.parametrize("change", [(PASSWORD, "wrong-password"), ("127.0.0.1:", "127.0.0.1:1")])
def test_who_is_not_let_in_is_told_why_without_the_password(url, change):
    wrong = url.replace(*change)
    for use in (Ledger.open, lambda bad: inspect_ledger(bad, "e")):
        with pytest.raises(StoreError, match=r"postgresql\+psycopg://workbench:\*\*\*@127.0.0.1.* cannot be") as raised:
            use(wrong)
        assert "wrong-password" not in str(raised.value)
        assert PASSWORD not in str(raised.value)
