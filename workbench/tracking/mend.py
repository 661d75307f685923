"""Making MLflow again what the ledger says: runs that contradict it give way, and its events are shown anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from workbench.store.ledger import Ledger
from workbench.tracking.compare import Difference, compare
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.projector import replay

ASIDE = "set-aside"
"""What a run's tag ``wb.kind`` becomes that the ledger contradicts, and what its ``wb.key`` then begins with. People's
own tags, metrics and files stay."""


def mend(ledger: Ledger, store: Path, uri: str, differences: Sequence[Difference]) -> list[Difference]:
    """Mend the differences that `compare` found, and return what still differs.

    Every event is shown again from the first one on, which changes nothing where nothing is wrong. No projector of this
    store may be at work meanwhile.

    Raises:
        mlflow.MlflowException: the store cannot be reached.
    """
    client = MlflowClient(tracking_uri=uri)
    for run_id in dict.fromkeys(run for difference in differences for run in difference.runs):
        _set_aside(client, run_id)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    return compare(ledger, uri)


def _set_aside(client: MlflowClient, run_id: str) -> None:
    run = client.get_run(run_id)
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(run_id)  # a deleted run takes no tags
    client.set_tag(run_id, "wb.key", f"{ASIDE}/{run.data.tags['wb.key']}")
    client.set_tag(run_id, "wb.kind", ASIDE)
    if run.info.status == "RUNNING":
        client.set_terminated(run_id, "KILLED")
    if run.info.lifecycle_stage == "deleted":
        client.delete_run(run_id)
