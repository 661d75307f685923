"""Runs of one MLflow store, found by the tag ``wb.key`` and written so that writing twice changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus, RunTag, ViewType
from mlflow.utils.mlflow_tags import (
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
)

from workbench.tracking.curves import Curve
from workbench.tracking.naming import clip, metric_name

METRICS_IN_BATCH = 900
OTHERS_IN_BATCH = 50
"""A batch of MLflow's holds 100 params, 100 tags, and 1000 things in all."""


class Runs:
    """The runs that the workbench owns.

    A run's metrics, params and ``wb.`` tags are written only where they differ from what it has. Curves are written
    whole in one batch, so a metric's name says that all of its points are there; and their timestamps come from the
    event, so even a batch that was cut off is not doubled. Runs that a person deleted stay deleted.
    """

    def __init__(self, client: MlflowClient) -> None:
        """Work through a client whose store exists."""
        self._client = client
        self._ids: dict[str, str] = {}

    def find(self, experiment: str, key: str) -> Run | None:
        """Return the run with a key as it is now, deleted ones too."""
        if key in self._ids:
            return self._client.get_run(self._ids[key])
        found = self.search(experiment, {"wb.key": key}, view=ViewType.ALL)
        if not found:
            return None
        self._ids[key] = found[0].info.run_id
        return found[0]

    def search(
        self, experiment: str, tags: Mapping[str, str], *, status: str = "", view: int = ViewType.ACTIVE_ONLY
    ) -> list[Run]:
        """Return the runs of an experiment (its id) that have all of the tags, and the status if one is given."""
        terms = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        terms += [f"attributes.status = '{status}'"] if status else []
        found: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], " AND ".join(terms), run_view_type=view, max_results=1000, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def ensure(
        self, experiment: str, key: str, name: str, at: datetime, tags: Mapping[str, str], parent: Run | None = None
    ) -> Run:
        """Return the run with a key, made now if there is none; ``tags`` are written either way."""
        run = self.find(experiment, key)
        owned = {"wb.key": key, **tags}
        if parent is not None:
            owned[MLFLOW_PARENT_RUN_ID] = parent.info.run_id
        if run is not None:
            self.write(run, tags=owned)
            return run
        fixed = {MLFLOW_SOURCE_NAME: "workbench", MLFLOW_SOURCE_TYPE: "LOCAL"}
        clipped = {tag: clip(value) for tag, value in owned.items()}
        run = self._client.create_run(experiment, milliseconds(at), tags=fixed | clipped, run_name=name)
        self._ids[key] = run.info.run_id
        return run

    def write(
        self,
        run: Run,
        *,
        at: datetime | None = None,
        metrics: Mapping[str, float] | None = None,
        curves: Mapping[str, Curve] | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write what the run lacks. ``at`` is the time of the metrics, and is needed with them."""
        if _deleted(run):
            return
        points = {name: [(0, value)] for name, value in (metrics or {}).items()} | dict(curves or {})
        lacking = [_points(name, curve, at) for name, curve in points.items() if not _has_metric(run, name)]
        new_params = [
            Param(metric_name(name), clip(value))
            for name, value in (params or {}).items()
            if metric_name(name) not in run.data.params
        ]
        new_tags = [
            RunTag(name, clip(value)) for name, value in (tags or {}).items() if run.data.tags.get(name) != clip(value)
        ]
        self._log(run.info.run_id, lacking, new_params, new_tags)

    def log_point(self, run: Run, name: str, value: float, at: datetime, step: int) -> None:
        """Add a point to a metric that grows while a run lasts."""
        if not _deleted(run):
            self._client.log_batch(run.info.run_id, metrics=[Metric(name, value, milliseconds(at), step)])

    def keep_files(self, run: Run, files: Mapping[str, Callable[[], bytes]], tables: Sequence[str] = ()) -> None:
        """Log the artifacts that the run lacks, and say of which of them that they are tables of MLflow's.

        The tag ``wb.files`` names those that are there as a whole: a file whose upload was cut off is written again,
        and so is one that was lost.
        """
        if _deleted(run) or not files:
            return
        listed = {entry.path for entry in self._client.list_artifacts(run.info.run_id)}
        whole = set(run.data.tags.get("wb.files", "").split()) & listed
        for name, content in files.items():
            if name not in whole:
                self._log_file(run.info.run_id, name, content())
        logged = json.loads(run.data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
        ours = [{"path": name, "type": "table"} for name in tables]
        logged += [table for table in ours if table not in logged]
        shown = {MLFLOW_LOGGED_ARTIFACTS: json.dumps(logged)} if tables else {}
        self.write(run, tags={**shown, "wb.files": " ".join(sorted(files))})

    def _log_file(self, run_id: str, name: str, content: bytes) -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder, name)
            file.write_bytes(content)
            self._client.log_artifact(run_id, str(file))

    def reopen(self, run: Run) -> None:
        """Set a run's status to RUNNING."""
        if not _deleted(run) and run.info.status != RunStatus.to_string(RunStatus.RUNNING):
            self._client.update_run(run.info.run_id, status="RUNNING")

    def close(self, run: Run, status: str, at: datetime) -> None:
        """End a run with FINISHED, FAILED or KILLED."""
        if not _deleted(run) and (run.info.status, run.info.end_time) != (status, milliseconds(at)):
            self._client.set_terminated(run.info.run_id, status, end_time=milliseconds(at))

    def _log(
        self, run_id: str, curves: Sequence[list[Metric]], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> None:
        """Write batches within MLflow's limits; a curve is never divided between two."""
        batch: list[Metric] = []
        for curve in curves:
            if len(batch) + len(curve) > METRICS_IN_BATCH:
                self._client.log_batch(run_id, metrics=batch)
                batch = []
            batch = batch + curve
        for start in range(0, max(len(params), len(tags), len(batch) and 1), OTHERS_IN_BATCH):
            page = slice(start, start + OTHERS_IN_BATCH)
            self._client.log_batch(run_id, batch if start == 0 else (), params[page], tags[page])


def milliseconds(at: datetime) -> int:
    """Return MLflow's time: milliseconds since 1970, UTC."""
    return round(at.timestamp() * 1000)


def _points(name: str, curve: Curve, at: datetime | None) -> list[Metric]:
    if at is None:
        raise ValueError("metrics need the time 'at' of the event that they come from")
    return [Metric(metric_name(name), value, milliseconds(at), step) for step, value in curve]


def _has_metric(run: Run, name: str) -> bool:
    return metric_name(name) in run.data.metrics


def _deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == "deleted")
