"""An idea from Python to MLflow."""

import importlib
import sqlite3
from contextlib import closing

import workbench
from tests.evaluation.conftest import RUNNER
from workbench.experiment import Experiment
from workbench.store.ledger import Ledger


def own(hp, problem):
    """A factory, which the stub never calls."""


def shown(file, name):
    """Return the tags and metrics of a run, read without importing MLflow."""
    query = "SELECT key, value FROM {} JOIN runs USING (run_uuid) WHERE name = ?"
    with closing(sqlite3.connect(file)) as connection:
        return [dict(connection.execute(query.format(table), [name])) for table in ("tags", "latest_metrics")]


def test_an_idea_is_a_sweep_of_its_own_in_the_ledger_and_in_mlflow(folder):
    experiment = Experiment.from_folder(folder)
    found = experiment.evaluate("lightgbm", values={"lr": 0.1}, note="faster", runner=RUNNER)
    assert isinstance(found, workbench.Comparison)
    assert found.verdict == "better"
    ledger = Ledger.open(experiment.ledger_url)
    events = [event for _, _, event in ledger.events(0)]
    ledger.close()
    assert [event.kind for event in events] == [
        "sweep.started",
        *("trial.started", "trial.finished") * 3,
        "trial.compared",
        "sweep.finished",
    ]
    assert events[0].title == "0001 try lightgbm: faster"
    tags, metrics = shown(experiment.store / "mlflow.db", "lightgbm#0001")
    assert (tags["wb.verdict"], tags["mlflow.note.content"]) == ("better", "faster")
    assert metrics["difference"] == found.difference


def test_a_function_is_tried_as_well_as_a_name(folder):
    # Other tests load code of this folder as a user's, which forgets what was imported from it.
    factory = importlib.import_module(__name__).own
    found = Experiment.from_folder(folder).evaluate(factory, values={"lr": 0.1}, seeds=1, runner=RUNNER)
    assert (found.candidate, found.baseline) == ("own#0001", "own#0000")
