import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text, update

from workbench.errors import LeaseLost, StoreError
from workbench.store import ledger as ledger_module
from workbench.store.database import sqlite_url
from workbench.store.events import SweepFinished, TrialFinished, TrialStarted
from workbench.store.ledger import Ledger, Shared
from workbench.store.tables import events, trials
from workbench.types import Failure, Reported, Space, TrialResult


@pytest.fixture
def url(ledger_url):
    """Every test runs on SQLite and on PostgreSQL."""
    return ledger_url


@pytest.fixture
def ledger(url):
    made = Ledger.open(url)
    yield made
    made.close()


def started(claim, values):
    return TrialStarted(
        sweep=claim.sweep,
        study=claim.study.id,
        trial=claim.trial,
        attempt=claim.attempt,
        family=claim.study.family,
        number=claim.number,
        values=values,
        code="",
    )


def finished(claim, state="complete", score=0.5):
    result = TrialResult(score=score, score_se=0.1, scores=(score,), values={}) if state == "complete" else None
    failure = Failure(code="factory", message="boom") if state == "failed" else None
    return TrialFinished(
        sweep=claim.sweep,
        study=claim.study.id,
        trial=claim.trial,
        attempt=claim.attempt,
        family=claim.study.family,
        number=claim.number,
        state=state,
        result=result,
        failure=failure,
    )


def test_a_study_is_made_once_per_key(ledger):
    first = ledger.open_study("key", "experiment", "mlp")
    ledger.set_space(first.id, Space())
    again = ledger.open_study("key", "experiment", "mlp")
    assert (again.id, again.space) == (first.id, Space())
    assert ledger.open_study("other", "experiment", "mlp").id != first.id


def test_a_trial_goes_from_claim_to_complete(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    claim = ledger.claim(study, sweep, total=1)
    assert (claim.name, claim.values) == ("mlp#0000", None)
    ledger.begin(claim, {"lr": 0.1, "norm": True}, started(claim, {"lr": 0.1}))
    ledger.finish(claim, finished(claim))
    (trial,) = ledger.trials(study.id)
    assert (trial.state, trial.values, trial.result.score) == ("complete", {"lr": 0.1, "norm": True}, 0.5)
    assert ledger.claim(study, sweep, total=1) is None
    assert [event.kind for _, _, event in ledger.events(0)] == ["trial.started", "trial.finished"]


def test_a_trial_given_back_is_claimed_again_with_its_values(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    claim = ledger.claim(study, sweep, 3)
    ledger.begin(claim, {"lr": 0.1}, started(claim, {"lr": 0.1}))
    assert ledger.lose(claim, None) == "queued"
    again = ledger.claim(study, sweep, 3)
    assert (again.trial, again.number, again.values) == (claim.trial, 0, {"lr": 0.1})
    assert again.attempt != claim.attempt
    with pytest.raises(LeaseLost, match="mlp#0000"):
        ledger.finish(claim, finished(claim))


def test_a_second_dead_worker_ends_the_trial(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    death = Failure(code="lost", message="signal 9")
    assert ledger.lose(ledger.claim(study, sweep, 1), death) == "queued"
    assert ledger.lose(ledger.claim(study, sweep, 1), death) == "failed"
    assert ledger.claim(study, sweep, 1) is None
    assert ledger.counts(study.id) == {"failed": 1}


def test_a_terminal_state_does_not_change(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    claim = ledger.claim(study, sweep, 1)
    ledger.finish(claim, finished(claim, "failed"))
    for late in (lambda: ledger.finish(claim, finished(claim)), lambda: ledger.lose(claim, None)):
        with pytest.raises(LeaseLost, match="taken over"):
            late()
    assert ledger.counts(study.id) == {"failed": 1}


def test_text_that_a_disk_has_changed_names_its_trial(ledger, url):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    claim = ledger.claim(study, sweep, total=1)
    ledger.begin(claim, {"lr": 0.1}, started(claim, {"lr": 0.1}))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(trials).values(values='{"lr": 0.'))
        connection.execute(update(events).values(payload="{}"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"mlp#0000 .* cannot be read\. .*doctor DIR --repair"):
        ledger.trials(study.id)
    with pytest.raises(StoreError, match="event 1 cannot be read"):
        ledger.events(0)


def test_reports_are_kept_once_and_never_as_nan(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    attempt = ledger.claim(study, sweep, 1).attempt
    rows = [(attempt, Reported(job_id="1", split=s, epoch=e, value=s + e)) for s in (1, 0) for e in (2, 1)]
    ledger.write_reports([*rows, (attempt, Reported(job_id="1", split=0, epoch=3, value=float("nan")))])
    ledger.write_reports(rows)
    found = [(r.split, r.epoch, r.value) for r in ledger.reports(attempt)]
    assert found == [(0, 1, 1), (0, 2, 2), (1, 1, 2), (1, 2, 3)]


def test_positions_of_projections(ledger):
    assert ledger.position("mlflow") == 0
    ledger.advance("mlflow", 4)
    ledger.advance("mlflow", 7)
    assert (ledger.position("mlflow"), ledger.position("tensorboard")) == (7, 0)


def test_the_last_delivery_is_that_of_a_complete_sweep(ledger):
    first, second = ledger.open_sweep("e"), ledger.open_sweep("e")
    ledger.record_delivery(first, "a")
    ledger.record_delivery(second, "b")
    assert ledger.last_delivery("e") is None
    ledger.close_sweep(SweepFinished(sweep=first, state="complete"))
    assert ledger.last_delivery("e") == (first, "a")
    ledger.close_sweep(SweepFinished(sweep=first, state="failed"))
    assert [event.state for _, _, event in ledger.events(0)] == ["complete"]


def test_an_expired_lease_is_reaped_and_a_renewed_one_is_not(ledger, monkeypatch):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    monkeypatch.setattr(ledger_module, "LEASE", -ledger_module.LEASE)
    kept, expired = ledger.claim(study, sweep, 2), ledger.claim(study, sweep, 2)
    monkeypatch.undo()
    ledger.renew([kept])
    assert ledger.reap() == 1
    assert ledger.counts(study.id) == {"running": 1, "queued": 1}
    with pytest.raises(LeaseLost, match="mlp#0001"):
        ledger.finish(expired, finished(expired))
    ledger.finish(kept, finished(kept))


def test_a_dead_drivers_trials_and_sweeps_are_reaped_at_once(ledger, url):
    program = (
        "import sys, time; from workbench.store.ledger import Ledger; l = Ledger.open(sys.argv[1]);"
        "l.claim(l.open_study('k', 'e', 'mlp'), l.open_sweep('e'), 5); print('ready', flush=True); time.sleep(600)"
    )
    driver = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
    assert driver.stdout.readline() == b"ready\n"
    assert ledger.reap() == 0
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    assert ledger.reap() == 1
    assert ledger.counts(ledger.open_study("k", "e", "mlp").id) == {"queued": 1}
    (event,) = [event for _, _, event in ledger.events(0) if event.kind == "sweep.finished"]
    assert event.state == "interrupted"


def test_a_newer_ledger_and_a_file_that_is_none_are_refused_and_left_alone(tmp_path, url):
    Ledger.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE counters SET value = 99 WHERE name = 'version'"))
    engine.dispose()
    with pytest.raises(StoreError, match="version 99"):
        Ledger.open(url)
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="damaged or not a database"):
        Ledger.open(sqlite_url(garbage))
    assert garbage.read_bytes() == b"not a database" * 100


@pytest.mark.parametrize("bad", ["nonsense", "nosuch://host/db", "postgresql+nodriver://host/db"])
def test_a_wrong_url_is_told(bad):
    with pytest.raises(StoreError, match="cannot be used"):
        Ledger.open(bad)


def test_sixteen_processes_that_first_touch_a_fresh_store_share_an_exact_budget(url):
    command = [sys.executable, str(Path(__file__).with_name("many_writers.py")), url, "16", "64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 16
    assert sorted(map(int, done.stdout.split())) == list(range(64))
    with closing(Ledger.open(url)) as ledger:
        trials = ledger.trials(1)
        assert [(trial.state, trial.values) for trial in trials] == [("complete", {"lr": 0.1})] * 64
        assert [position for position, _, _ in ledger.events(0)] == list(range(1, 129))
        assert {len(ledger.reports(attempt)) for attempt in range(1, 65)} == {2}


def test_threads_append_events_without_gaps(ledger):
    with ThreadPoolExecutor(8) as pool:
        positions = list(pool.map(lambda i: ledger.append(SweepFinished(sweep=i, state="failed")), range(50)))
    assert sorted(positions) == list(range(1, 51))
    assert [position for position, _, _ in ledger.events(0)] == sorted(positions)


def test_studies_share_what_they_may_have_in_all_exactly(ledger, url):
    studies, sweep = [ledger.open_study(name, "e", name) for name in ("a", "b", "c")], ledger.open_sweep("e")
    shared = Shared((studies[0].id, studies[1].id), 10)

    def drive(_):
        with closing(Ledger.open(url)) as own:
            for _ in range(6):
                own.claim(studies[0], sweep, 10, shared=shared)
                own.claim(studies[1], sweep, 4, shared=shared)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drive, range(4)))
    ids = [study.id for study in studies]
    assert ledger.searched(*ids) == ledger.searched(*ids[:2]) == 10
    assert ledger.searched(ids[1]) <= 4
    assert ledger.claim(studies[2], sweep, 1, shared=shared) is None


def test_tries_are_numbered_along_and_not_counted(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    tried = ledger.claim_tried(study, sweep, {"lr": 0.3}, "slower")
    assert (tried.number, tried.values, tried.origin, tried.note) == (0, {"lr": 0.3}, "try", "slower")
    searched = [ledger.claim(study, sweep, 2), ledger.claim(study, sweep, 2)]
    assert [(claim.number, claim.turn) for claim in searched] == [(1, 0), (2, 1)]
    assert ledger.claim(study, sweep, 2) is None
    assert (ledger.searched(study.id), ledger.counts(study.id)) == (2, {"running": 3})
    assert [(t.origin, t.note) for t in ledger.trials(study.id)] == [("try", "slower"), ("search", ""), ("search", "")]


def test_an_interrupted_try_is_taken_up_by_the_same_try_alone(ledger):
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    ledger.lose(ledger.claim_tried(study, sweep, {"lr": 0.3}, "slower"), None)
    assert ledger.claim(study, sweep, 0) is None
    assert ledger.claim_tried(study, sweep, {"lr": 0.4}, "").number == 1
    again = ledger.claim_tried(study, sweep, {"lr": 0.3}, "other words")
    assert (again.number, again.note) == (0, "slower")


def screened(claim, score):
    result = TrialResult(score=score, score_se=0.0, scores=(score,), values={}, screened=True)
    return finished(claim, "screened").model_copy(update={"result": result})


def test_a_screened_trial_is_promoted_once_and_keeps_its_screening(ledger):
    study, sweep = ledger.open_study("k", "e", "f", {"code": "1"}), ledger.open_sweep("e")
    claims = [ledger.claim(study, sweep, 2, "screen") for _ in range(2)]
    for claim, score in zip(claims, (0.5, 0.25), strict=True):
        ledger.begin(claim, {"x": score}, started(claim, {}), 3, {"bracket": 1})
        ledger.finish(claim, screened(claim, score))
    assert ledger.claim(study, sweep, 2, "screen") is None
    assert [(t.state, t.score) for t in ledger.screenings(study.id)] == [("screened", 0.5), ("screened", 0.25)]
    promoted = ledger.promote(study, sweep, claims[1].trial)
    assert (promoted.stage, promoted.values, promoted.epochs, promoted.told) == (
        *("promoted", {"x": 0.25}, 3),
        {"bracket": 1},
    )
    assert ledger.promote(study, sweep, claims[1].trial) is None
    assert ledger.lose(promoted, None) == "queued"
    again = ledger.claim(study, sweep, 2, "screen")
    assert (again.number, again.stage) == (1, "promoted")
    ledger.finish(again, finished(again, score=0.3))
    first, second = ledger.trials(study.id)
    assert (first.state, first.result, first.screening.score) == ("screened", None, 0.5)
    assert (second.state, second.result.score, second.screening.score) == ("complete", 0.3, 0.25)
    assert ledger.spent(study.id) > 0.0
    assert [(s.id, s.ground) for s in ledger.studies("e", "f")] == [(study.id, {"code": "1"})]


def test_a_claim_without_a_suggestion_leaves_no_trial(ledger):
    study, sweep = ledger.open_study("k", "e", "f"), ledger.open_sweep("e")
    first, last = ledger.claim(study, sweep, 5), ledger.claim(study, sweep, 5)
    ledger.withdraw(last)
    assert ledger.counts(study.id) == {"running": 1}
    second = ledger.claim(study, sweep, 5)
    ledger.withdraw(first)  # not the last one: it is queued, and claimed before new ones
    assert ledger.counts(study.id) == {"queued": 1, "running": 1}
    again = ledger.claim(study, sweep, 5)
    assert (again.number, again.values, second.number) == (0, None, 1)
    with pytest.raises(LeaseLost):
        ledger.withdraw(first)
