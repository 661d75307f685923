"""MLflow's part of a repair: its runs are compared with the ledger, trial by trial, and mended after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from workbench.doctor.step import NAMED, Step
from workbench.experiment import Experiment
from workbench.store.backup import damage, is_lost, move_aside
from workbench.store.ledger import Ledger
from workbench.tracking.environment import ENVIRONMENT
from workbench.tracking.locks import try_lock
from workbench.tracking.positions import mlflow_name
from workbench.tracking.reachable import ask_server, is_server, without_password
from workbench.tracking.uri import sqlite_file, tracking_uri
from workbench.wording import counted


def mend_mlflow(ledger: Ledger, experiment: Experiment) -> Iterator[Step]:
    """Let MLflow show again what the ledger says, and say what was otherwise."""
    uri, store = tracking_uri(experiment.config.tracking, experiment.store), experiment.store
    if is_server(uri) and (answer := ask_server(uri)).reach != "answers":
        yield Step("tracking", "MLflow", f"{without_password(uri)} {answer.text}; nothing was compared", True)
        return
    lock = try_lock(store / "projector.lock")
    if lock is None:
        yield Step("tracking", "MLflow", "a projector is at work on it; nothing was compared", True)
        return
    with lock:
        yield from _mend_file(sqlite_file(uri))
        yield from _mend_runs(ledger, store, uri)


def _mend_file(file: Path | None) -> Iterator[Step]:
    """Move MLflow's database aside where it is damaged: everything in it but people's own notes is in the ledger."""
    if file is None or is_lost(file) or not (said := damage(file, "experiments")):
        return
    aside = move_aside(file, "damaged")
    yield Step("tracking", "MLflow", f"{file} is damaged ({said}); it is {aside.name} now, and is made anew")


def _mend_runs(ledger: Ledger, store: Path, uri: str) -> Iterator[Step]:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from workbench.tracking.compare import compare
    from workbench.tracking.mend import mend
    from workbench.tracking.mlflow_store import open_client

    open_client(uri, store)
    differences, last = compare(ledger, uri), ledger.last_position()
    if not differences and ledger.position(mlflow_name(uri)) >= last:
        yield Step("tracking", "MLflow", f"shows every trial as the ledger has it ({last} events)")
        return
    for difference in differences[:NAMED]:
        yield Step("tracking", "MLflow", str(difference))
    more = f", for the above and {len(differences) - NAMED} more" if differences[NAMED:] else ""
    still = mend(ledger, store, uri, differences)
    aside = len({run for difference in differences for run in difference.runs})
    what = f"{counted(last, 'event')} shown again{more}"
    what += f"; {counted(aside, 'run')} that the ledger denies set aside (their tag wb.kind says so)" if aside else ""
    yield Step("tracking", "MLflow", what if still else f"{what}; it shows every trial as the ledger has it now")
    for difference in still[:NAMED]:
        yield Step("tracking", "MLflow", f"still differs: {difference}", True)
