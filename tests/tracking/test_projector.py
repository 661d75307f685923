from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tracking import story
from workbench.store.events import SweepFinished
from workbench.store.ledger import Ledger
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.projector import log_file, replay, start_projector

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow 3.17 with SQLAlchemy 2.1


def statuses(uri: str) -> list[str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return sorted(run.info.status for run in client.search_runs(experiments))


def nobody_listens() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], timeout: float = 90.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_events_are_shown_while_they_come_and_the_rest_at_the_end(ledger: Ledger, store: Path, uri: str) -> None:
    projector = start_projector(ledger, store, uri)
    position = ledger.append(story.sweep_started())
    assert projector.wait(position, timeout=90)
    assert statuses(uri) == ["RUNNING"]
    process = psutil.Process(projector.pid)
    assert process.nice() == min(19, os.nice(0) + 10)
    before = process.cpu_times()
    time.sleep(2)
    after = process.cpu_times()
    assert (after.user + after.system) - (before.user + before.system) < 0.3  # it idles cheaply
    position = ledger.append(SweepFinished(sweep=1, state="complete"))
    assert projector.close(timeout=90)
    assert projector.shown(position)
    assert statuses(uri) == ["FINISHED"]
    assert log_file(store).read_text() == ""


def test_it_ends_when_its_driver_is_killed(ledger: Ledger, store: Path, uri: str) -> None:
    code = (
        "import sys, time; from pathlib import Path; from workbench.store.ledger import Ledger;"
        "from workbench.tracking.projector import start_projector;"
        f"p = start_projector(Ledger.open({ledger.url!r}), Path({str(store)!r}), {uri!r});"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    projector = psutil.Process(int(driver.stdout.readline()))
    story.tell(ledger)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    gone, _ = psutil.wait_procs([projector], timeout=90)
    assert gone
    assert "RUNNING" not in statuses(uri)
    assert ledger.position("tensorboard") == ledger.last_position()


def test_a_server_that_is_gone_holds_up_nothing_and_loses_nothing(ledger: Ledger, store: Path, uri: str) -> None:
    story.tell(ledger)
    server = f"http://127.0.0.1:{nobody_listens()}"
    projector = start_projector(ledger, store, server)
    until(lambda: ledger.position("tensorboard") == ledger.last_position())  # the other target goes on
    until(lambda: "ERROR" in log_file(store).read_text())
    assert not projector.wait(ledger.last_position(), timeout=2)
    assert not projector.close(timeout=30)
    assert log_file(store).read_text().count("ERROR") == 1
    later = start_projector(ledger, store, uri)
    assert later.close(timeout=90)
    assert len(statuses(uri)) == 7


def test_two_projectors_of_a_store_make_no_doubles(ledger: Ledger, store: Path, uri: str) -> None:
    story.tell(ledger)
    first, second = start_projector(ledger, store, uri), start_projector(ledger, store, uri)
    assert first.wait(ledger.last_position(), timeout=90)
    assert first.close(timeout=90)
    assert second.close(timeout=90)
    assert len(statuses(uri)) == 7


def test_a_store_that_was_removed_is_made_again_from_event_0(ledger: Ledger, store: Path, uri: str) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    ledger.advance("tensorboard", ledger.last_position())
    (store / "mlflow.db").unlink()
    assert start_projector(ledger, store, uri).close(timeout=120)
    assert len(statuses(uri)) == 7
    assert (store / "tensorboard").is_dir()
