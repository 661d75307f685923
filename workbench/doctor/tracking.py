"""Where runs are logged: a file that can be read, or a server that answers."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from workbench.doctor.check import Check
from workbench.experiment import Experiment
from workbench.tracking.reachable import ask_server, is_server, without_password
from workbench.tracking.uri import sqlite_file, tracking_uri

ANSWER_SECONDS = 3.0


def tracking_check(experiment: Experiment, seconds: float = ANSWER_SECONDS) -> Check:
    """Look at an experiment's MLflow tracking URI."""
    uri = tracking_uri(experiment.config.tracking, experiment.store)
    file = sqlite_file(uri)
    if is_server(uri):
        return _server(uri, _origin(experiment), seconds)
    if file is not None:
        return _sqlite(file)
    if uri.startswith("file:") or ("://" not in uri and uri != "databricks"):
        remedy = f"Use a database: sqlite:///{uri.removeprefix('file://')}.db, or leave it to the workbench."
        return Check("tracking", "MLflow", "problem", f"{uri}: MLflow no longer logs to folders", remedy)
    return Check("tracking", "MLflow", "ok", f"{without_password(uri)} ({_origin(experiment)}), not looked into")


def _origin(experiment: Experiment) -> str:
    if experiment.config.tracking.uri:
        return "from tracking.uri"
    return "from MLFLOW_TRACKING_URI" if os.environ.get("MLFLOW_TRACKING_URI") else "the default"


def _server(uri: str, origin: str, seconds: float) -> Check:
    answer = ask_server(uri, seconds)
    found = f"{without_password(uri)} ({origin}) {answer.text}"
    if answer.reach == "answers":
        return Check("tracking", "MLflow", "ok", found)
    if answer.reach == "doubtful":
        remedy = "MLflow takes credentials from MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN."
        return Check("tracking", "MLflow", "warning", found, remedy)
    remedy = "Start the server, or correct the URI. Sweeps run without it; the next one after that logs them."
    return Check("tracking", "MLflow", "problem", found, remedy)


def _sqlite(file: Path) -> Check:
    if not file.is_file():
        return Check("tracking", "MLflow", "ok", f"{file}: none yet, the first run makes it")
    try:
        # Not read-only: what a killed process left half written must be rolled back before anything can be read.
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=ANSWER_SECONDS)) as base:
            runs = base.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
    except sqlite3.Error as error:
        if "locked" in str(error):
            remedy = "Somebody writes to it for long; if no sweep is running, look for a hung MLflow process."
            return Check("tracking", "MLflow", "warning", f"{file}: {error}", remedy)
        remedy = (
            "workbench doctor --repair moves it away, makes a new one, and shows every trial again from the ledger."
        )
        return Check("tracking", "MLflow", "problem", f"{file} cannot be read: {error}", remedy)
    return Check("tracking", "MLflow", "ok", f"{file}: {runs} runs")
