"""What the doctor finds in stores that really are broken, and that it leaves everything as it was."""

import hashlib
import http.server
import io
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement
from rich.console import Console

from workbench.doctor.check import Check
from workbench.doctor.examination import show
from workbench.doctor.keras import keras_check
from workbench.doctor.machine import machine_checks
from workbench.doctor.packages import SHOWN, package_check, package_checks
from workbench.doctor.ports import port_checks
from workbench.doctor.store import store_checks
from workbench.doctor.tracking import tracking_check
from workbench.execution.machine import usable_cores
from workbench.experiment import Experiment
from workbench.store.events import SweepFinished, TrialFinished
from workbench.store.ledger import Ledger
from workbench.store.tables import VERSION
from workbench.store.vault import Vault, write_predictions, write_result
from workbench.types import Failure, TrialResult

DEAD_DRIVER = """
import sys
from workbench.store.ledger import Ledger
from workbench.store.tables import VERSION

Ledger.open(sys.argv[1]).open_sweep("houses")
"""


def by_name(checks) -> dict[str, Check]:
    return {check.name: check for check in checks}


def finish_trial(ledger: Ledger, sweep: int, total: int, *, fit_key: str | None = None) -> None:
    """Run a trial: complete with a fit key, failed without."""
    claim = ledger.claim(ledger.open_study("key", "houses", "mlp"), sweep, total)
    assert claim is not None
    result = None if fit_key is None else TrialResult(score=1, score_se=0, scores=(1,), values={}, fit_key=fit_key)
    failure = Failure(code="oom", message="out of memory\nat line 7") if result is None else None
    event = TrialFinished(
        sweep=sweep,
        study=claim.study.id,
        trial=claim.trial,
        attempt=claim.attempt,
        family="mlp",
        number=claim.number,
        state="failed" if result is None else "complete",
        result=result,
        failure=failure,
    )
    ledger.finish(claim, event)


def keep_fit(store: Path, fit_key: str) -> Path:
    vault = Vault(store / "vault")
    with vault.writing(fit_key) as folder:
        write_predictions(folder, [[[1.0]]], None, "")
        write_result(folder, TrialResult(score=1, score_se=0, scores=(1,), values={}, fit_key=fit_key))
    return vault.folder(fit_key)


def contents(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def ledger(experiment: Experiment) -> Iterator[Ledger]:
    opened = Ledger.open(experiment.ledger_url)
    yield opened
    opened.close()


# --- the machine -----------------------------------------------------------------------------------------------------


def test_a_remedy_belongs_to_what_is_not_ok_and_to_nothing_else():
    with pytest.raises(ValueError, match="needed there"):
        Check("machine", "memory", "warning", "little")
    with pytest.raises(ValueError, match="for what is not ok"):
        Check("machine", "memory", "ok", "enough", "buy more")


def test_the_machine_that_runs_the_tests_is_fit_for_it():
    found = by_name(machine_checks())
    assert found["system"].status == "ok"
    assert found["cores"].found.startswith(str(len(os.sched_getaffinity(0))))
    assert "GiB available of" in found["memory"].found


def test_every_package_that_people_ask_about_is_shown():
    found = by_name(package_checks())
    assert {"python", "workbench", *SHOWN} <= set(found)
    assert [check for check in found.values() if check.status == "problem"] == []


@pytest.mark.parametrize(
    ("requirement", "status", "found"),
    [
        ("numpy>=2", "ok", ""),
        ("numpy<1", "warning", "<1 is required"),
        ("no-such-package>=3", "problem", "not installed; >=3 is required"),
    ],
)
def test_packages_are_compared_with_what_is_required(requirement, status, found):
    check = package_check(Requirement(requirement))
    assert check.status == status
    assert found in check.found
    assert status == "ok" or f"pip install '{requirement}'" in check.remedy


def test_ports_say_who_has_them():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (taken,) = port_checks({"MLflow": port})
    (free,) = port_checks({"TensorBoard": port})
    assert taken.status == "warning"
    assert f"process {os.getpid()} " in taken.found
    assert free.status == "ok"


# --- Keras -----------------------------------------------------------------------------------------------------------


def test_an_import_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    probe, pids = tmp_path / "probe.py", tmp_path / "pids"
    probe.write_text(
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(300)\n"
    )
    began = time.monotonic()
    check = keras_check("jax", seconds=3.0, probe=probe)
    assert time.monotonic() - began < 10
    assert (check.status, check.found) == ("problem", "not imported after 3.0s")
    until = time.monotonic() + 5.0  # the system takes a moment to bury what was killed
    while any(map(alive, map(int, pids.read_text().split()))):
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("raise ImportError('no jaxlib for this machine')", "exit code 1): ImportError: no jaxlib for this machine"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11): it said nothing"),
    ],
)
def test_an_import_that_fails_or_crashes_is_told(code, found, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(code)
    check = keras_check("jax", probe=probe)
    assert check.status == "problem"
    assert found in check.found
    assert "KERAS_BACKEND=jax" in check.remedy


def test_another_backend_than_the_configured_one_is_a_problem(tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text('print(\'{"backend": "torch", "devices": [], "seconds": 1}\')')
    assert keras_check("jax", probe=probe).found == "took the backend torch"


@pytest.mark.keras
@pytest.mark.slow
def test_keras_imports_on_jax_and_sees_a_device():
    check = keras_check("jax")
    assert check.status == "ok", check
    assert check.found.startswith(f"{usable_cores()} cpu; imported in ")


# --- the store -------------------------------------------------------------------------------------------------------


def test_a_store_that_is_not_there_yet_is_no_trouble_and_is_not_made(experiment):
    found = by_name([*store_checks(experiment), tracking_check(experiment)])
    assert {check.status for check in found.values()} == {"ok"}
    assert "the first run makes it" in found["folder"].found
    assert not experiment.store.exists()


def test_looking_changes_nothing(experiment, ledger):
    sweep = ledger.open_sweep("houses")
    finish_trial(ledger, sweep, 1, fit_key="ab12")
    (keep_fit(experiment.store, "ab12") / "oof.npz").write_bytes(b"torn")
    (experiment.store / "mlflow.db").write_bytes(b"no database")
    before = contents(experiment.store)
    statuses = {check.status for check in [*store_checks(experiment), tracking_check(experiment)]}
    assert statuses == {"ok", "warning", "problem"}
    assert contents(experiment.store) == before


def test_a_healthy_store(experiment, ledger):
    sweep = ledger.open_sweep("houses")
    finish_trial(ledger, sweep, 1, fit_key="ab12")
    keep_fit(experiment.store, "ab12")
    found = by_name(store_checks(experiment))
    assert found["trials"].found == "1 complete"
    assert found["vault"].found == "1 fits read"
    assert f"version {VERSION}" in found["ledger"].found
    assert f"sweep {sweep} is running" in found["sweeps"].found
    assert found["programs"].found == "0 compiled programs kept, 0.0 MiB"
    assert {check.status for check in found.values()} == {"ok"}


def test_other_experiments_trials_are_not_counted(folder, ledger):
    finish_trial(ledger, ledger.open_sweep("houses"), 1, fit_key="ab12")
    other = Experiment.from_folder(folder, ["name=flats"])
    assert by_name(store_checks(other))["trials"].found == "none yet"


def test_failed_trials_are_shown_by_code_with_the_last_message(experiment, ledger):
    finish_trial(ledger, ledger.open_sweep("houses"), 1)
    check = by_name(store_checks(experiment))["trials"]
    assert check.status == "warning"
    assert check.found == "1 failed (1 oom)"
    assert check.remedy.endswith("out of memory")


def test_a_sweep_of_a_dead_driver_is_found(experiment, ledger):
    subprocess.run([sys.executable, "-c", DEAD_DRIVER, experiment.ledger_url], check=True)
    check = by_name(store_checks(experiment))["sweeps"]
    assert check.status == "warning"
    assert "sweep 1 was left by a driver that died" in check.found
    assert f"workbench run {experiment.root}" in check.remedy
    assert ledger.reap() == 0
    assert by_name(store_checks(experiment))["sweeps"].status == "ok"


@pytest.mark.parametrize("harm", ["absent", "torn"])
def test_fits_that_cannot_be_read_are_counted(harm, experiment, ledger):
    finish_trial(ledger, ledger.open_sweep("houses"), 1, fit_key="ab12")
    if harm == "torn":
        (keep_fit(experiment.store, "ab12") / "result.json").write_text("{")
    check = by_name(store_checks(experiment))["vault"]
    assert check.status == "warning"
    assert "1 absent or damaged: ab12" in check.found


def test_fits_that_were_set_aside_are_shown(experiment, ledger):
    ledger.open_sweep("houses")
    (keep_fit(experiment.store, "ab12") / "oof.npz").write_bytes(b"torn")
    assert not Vault(experiment.store / "vault").has("ab12")
    check = by_name(store_checks(experiment))["vault"]
    assert check.status == "warning"
    assert "1 damaged ones set aside" in check.found


def test_a_projection_that_is_behind_is_trouble_only_when_no_sweep_runs(experiment, ledger):
    sweep = ledger.open_sweep("houses")
    finish_trial(ledger, sweep, 1, fit_key="ab12")
    running = by_name(store_checks(experiment))["projections"]
    assert running.status == "ok"
    assert "1 events behind" in running.found
    ledger.close_sweep(SweepFinished(sweep=sweep, state="complete"))
    over = by_name(store_checks(experiment))["projections"]
    assert over.status == "warning"
    assert "tensorboard is 2 events behind" in over.found
    assert "projector.log" in over.remedy


def test_a_newer_ledger_is_a_problem(experiment, ledger):
    ledger.close()
    with closing(sqlite3.connect(experiment.store / "ledger.db")) as base, base:
        base.execute("UPDATE counters SET value = 999 WHERE name = 'version'")
    check = by_name(store_checks(experiment))["ledger"]
    assert check.status == "problem"
    assert "version 999" in check.found


def test_a_ledger_that_is_no_database_is_a_problem(experiment):
    experiment.store.mkdir()
    (experiment.store / "ledger.db").write_text("no database")
    check = by_name(store_checks(experiment))["ledger"]
    assert check.status == "problem"
    assert "ledger.db" in check.found


def test_somebody_elses_database_is_no_ledger(experiment):
    experiment.store.mkdir()
    with closing(sqlite3.connect(experiment.store / "ledger.db")) as base, base:
        base.execute("CREATE TABLE sweeps (id INTEGER)")
    check = by_name(store_checks(experiment))["ledger"]
    assert check.status == "problem"
    assert "lacks attempts" in check.found


def test_a_store_that_is_a_file_is_a_problem(experiment):
    experiment.store.write_text("")
    check = next(iter(store_checks(experiment)))
    assert (check.name, check.status) == ("folder", "problem")
    assert "is a file" in check.found


# --- tracking --------------------------------------------------------------------------------------------------------


@contextmanager
def server(status: int, body: bytes = b"") -> Iterator[str]:
    """Answer every GET alike; yield the URI."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def tracked(folder: Path, uri: str) -> Experiment:
    return Experiment.from_folder(folder, [f"tracking.uri={uri}"])


@pytest.mark.parametrize(
    ("status", "body", "expected", "text"),
    [
        (200, b"OK", "ok", "answers"),
        (200, b"<html>", "warning", "not as an MLflow server"),
        (401, b"", "warning", "asks for credentials"),
        (404, b"", "warning", "not as an MLflow server"),
        (503, b"", "problem", "HTTP 503"),
    ],
)
def test_a_tracking_server_is_asked(status, body, expected, text, folder):
    with server(status, body) as uri:
        check = tracking_check(tracked(folder, uri))
    assert check.status == expected
    assert text in check.found


def test_a_server_that_is_gone_or_silent_is_a_problem_in_time(folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = tracked(folder, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        check = tracking_check(given, seconds=0.5)
        assert time.monotonic() - began < 3
    assert check.status == "problem"
    assert tracking_check(given).status == "problem"


def test_the_environments_uri_is_looked_at_and_its_password_is_not_shown(experiment, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    check = tracking_check(experiment)
    assert "from MLFLOW_TRACKING_URI" in check.found
    assert "secret" not in check.found + check.remedy


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns"])
def test_a_folder_of_runs_is_refused_with_the_way_out(uri, folder):
    check = tracking_check(tracked(folder, uri))
    assert check.status == "problem"
    assert "sqlite:///" in check.remedy


# --- how it looks ----------------------------------------------------------------------------------------------------


def test_the_table_fits_80_columns_and_can_be_searched():
    checks = [
        Check("machine", "cores", "ok", "4 usable"),
        Check("store", "ledger", "problem", "/a/very/long/path" * 9, "Put a backup in its place. " * 5),
        Check("ports", "port 5000", "warning", "taken", "another one"),
    ]
    console = Console(file=io.StringIO(), width=80)
    assert show(console, checks) is False
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    starts = [line.split()[:2] for line in lines if line.startswith(("ok", "problem", "warning"))]
    assert starts == [["ok", "cores"], ["problem", "ledger"], ["warning", "port"]]
    assert lines[-1] == "1 problem and 1 warning"


def test_only_problems_count():
    console = Console(file=io.StringIO())
    assert show(console, [Check("ports", "port 5000", "warning", "taken", "another one")])
    assert show(console, [Check("machine", "cores", "ok", "4 usable")])


@pytest.mark.keras
@pytest.mark.slow
def test_a_broken_ledger_gives_exit_code_4(experiment):
    experiment.store.mkdir()
    (experiment.store / "ledger.db").write_text("nonsense")
    command = [sys.executable, "-m", "workbench.cli", "doctor", str(experiment.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "problem  ledger" in done.stdout
    assert "Traceback" not in done.stderr
