"""Opening an MLflow store: the schema of a fresh one is made once, its artifacts lie beside the ledger."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from workbench.tracking.locks import file_lock
from workbench.tracking.uri import sqlite_file

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The kind that MLflow's user interface otherwise guesses. (Its switch GenAI | Model training is the browser's own.)"""


def open_client(uri: str, store: Path) -> MlflowClient:
    """Return a client whose store exists.

    MLflow migrates a fresh SQLite file at first touch, and processes that do so at once crash each other: so the first
    touch happens under a file lock.
    """
    client = MlflowClient(tracking_uri=uri)
    file = sqlite_file(uri)
    if file is None:
        return client
    file.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(store / "mlflow.lock"):
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    return client


def experiment_id(client: MlflowClient, name: str, uri: str, store: Path) -> str:
    """Return the id of an experiment, made or restored if need be.

    A server decides itself where artifacts lie; with a database they lie in ``<store>/mlartifacts``.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        local = not uri.startswith(("http:", "https:", "databricks"))
        location = (store / "mlartifacts").resolve().as_uri() if local else None
        return str(client.create_experiment(name, artifact_location=location, tags=KIND))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextlib.contextmanager
def process_store(uri: str) -> Iterator[None]:
    """Let MLflow's store of this process be ``uri`` for a while, and put back what was.

    For the two places that know no other: loading ``models:/`` URIs, and (MLflow 3.17) the SQL registry, which looks
    for a version's logged model not in its client's store but in the process's.
    """
    before, given = mlflow.get_tracking_uri(), os.environ.get("MLFLOW_TRACKING_URI")
    if before == uri:
        yield
        return
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        if given is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = given
