"""Minutes of killing: a random worker every 2 s and the driver every 30 s, until 200 trials have ended.

And of stopping: 60 drivers that do nothing but write, at a random moment each.
"""

import contextlib
import random
import signal
import sqlite3
import time

import psutil
import pytest

from workbench.store.ledger import TERMINAL
from workbench.tracking.compare import compare
from workbench.tracking.projector import catch_up
from workbench.types import Failure

pytestmark = [
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),  # MLflow 3.17 with SQLAlchemy 2.1
]

TRIALS = 200
WORKER_SECONDS, DRIVER_SECONDS = 2.0, 30.0


def test_two_hundred_trials_while_workers_and_drivers_are_killed(patient):
    generator = random.Random(0)
    uri = f"sqlite:///{patient.folder / 'mlflow.db'}"
    options = {"trials": TRIALS, "workers": 3, "lanes": {"stub": {"sleep": 0.1}}, "uri": uri}
    killed = {"workers": 0, "drivers": 0}
    driver, began = patient.run(**options), time.monotonic()
    seen = set()
    while driver.poll() is None:
        time.sleep(WORKER_SECONDS)
        workers = patient.workers(driver)
        seen |= {worker.pid for worker in workers}
        if time.monotonic() - began > DRIVER_SECONDS:
            driver.kill()
            driver.wait()
            killed["drivers"] += 1
            driver, began = patient.run(**options), time.monotonic()
        elif workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                generator.choice(workers).kill()
                killed["workers"] += 1
    assert driver.returncode == 0, patient.lines[-20:]
    assert killed["workers"] > 20
    assert killed["drivers"] > 1
    check_trials(patient)
    check_mlflow(patient, uri)
    assert not [pid for pid in seen if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    print(f"{killed}, {len(patient.executions())} trainings begun for {TRIALS} trials")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_drivers_are_stopped_at_random_moments(patient, number, code):
    """Trials that take no time, so that a signal meets a write more often than not; twice, as ``timeout`` sends it."""
    generator = random.Random(number)
    for _ in range(30):
        driver = patient.run(trials=1_000_000, workers=2)
        patient.until(driver, "complete")
        time.sleep(0.5 * generator.random())
        driver.send_signal(number)
        driver.send_signal(number)
        assert patient.end(driver, 20.0) == code, patient.lines[-20:]
        with contextlib.closing(sqlite3.connect(patient.folder / "ledger.db", timeout=0.0)) as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            assert not ledger.execute("SELECT count(*) FROM trials WHERE state = 'running'").fetchone()[0]
        assert not [line for line in patient.lines if "Traceback" in line or "not given back" in line]


def check_trials(patient):
    """Exactly as many as asked for, each ended once, every result in the vault, none trained again."""
    bench = patient.bench()
    trials = bench.ledger.trials(bench.lane().study.id)
    assert [trial.number for trial in trials] == list(range(TRIALS))
    assert {trial.state for trial in trials} <= set(TERMINAL)
    finished = {}
    for _, _, event in bench.ledger.events(0, limit=100_000):
        if event.kind == "trial.finished" and event.state != "lost":
            assert event.number not in finished, "a second end"
            finished[event.number] = event
    assert len(finished) == TRIALS
    for trial in trials:
        assert trial.result == finished[trial.number].result
        if trial.result is not None:
            assert bench.vault.has(trial.result.fit_key)
        else:
            assert isinstance(trial.failure, Failure)
            assert trial.failure.code == "lost"
    assert sum(trial.state == "complete" for trial in trials) > 0.8 * TRIALS
    assert "running" not in bench.ledger.counts(bench.lane().study.id)
    bench.ledger.close()


def check_mlflow(patient, uri):
    """Trial by trial."""
    bench = patient.bench()
    assert catch_up(bench.ledger, patient.folder, uri, tensorboard=False, timeout=120.0)
    assert [str(difference) for difference in compare(bench.ledger, uri)] == []
    bench.ledger.close()
