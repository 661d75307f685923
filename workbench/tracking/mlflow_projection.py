"""MLflow as a projection of the ledger: a run for each sweep, in it a nested run for each trial and blend.

Params, sortable metrics (without a slash), charts (with one) and ``wb.`` tags follow the scheme of
``docs/tracking.md``. Everything outside of ``wb.`` that people add stays as it is, however often events are replayed.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from workbench.store.events import (
    BlendFinished,
    Event,
    ModelExported,
    SweepFinished,
    SweepStarted,
    TrialCompared,
    TrialFinished,
    TrialStarted,
)
from workbench.tracking import blend_data
from workbench.tracking.blend_note import describe
from workbench.tracking.identity import journal_key
from workbench.tracking.mlflow_runs import Runs
from workbench.tracking.mlflow_store import experiment_id, open_client
from workbench.tracking.naming import clip, flat, param_names, without_features
from workbench.tracking.positions import mlflow_name
from workbench.tracking.projection import Journal, Sweeps
from workbench.tracking.receipt import Receipt, write_receipt
from workbench.tracking.registration import register, registered_name
from workbench.tracking.trial_data import charts, finished_tags, sortable, started_tags
from workbench.types import better, trial_name

SWEEP_STATUS = {"complete": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
TRIAL_STATUS = {"complete": "FINISHED", "screened": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class MlflowProjection:
    """Shows a ledger in one MLflow store."""

    def __init__(self, journal: Journal, uri: str, store: Path) -> None:
        """Open the MLflow store at ``uri``; ``store`` is the workbench's own folder."""
        self.name = mlflow_name(uri)
        self._journal, self._uri, self._store = journal, uri, store
        self._client: MlflowClient = open_client(uri, store)
        self._runs = Runs(self._client)
        self._sweeps = Sweeps(journal)
        self._prefix = ""
        self._experiments: dict[str, str] = {}

    def apply(self, position: int, at: datetime, event: Event) -> None:
        """Show an event. Applying it again changes nothing.

        Raises:
            mlflow.MlflowException: the store cannot be reached; nothing is lost when the event is applied again.
        """
        match event:
            case SweepStarted():
                self._sweep_started(at, event)
            case TrialStarted():
                self._trial_started(at, event)
            case TrialFinished():
                self._trial_finished(position, at, event)
            case TrialCompared():
                self._trial_compared(position, at, event)
            case BlendFinished():
                self._blend_finished(position, at, event)
            case ModelExported():
                self._model_exported(position, event)
            case SweepFinished():
                self._sweep_finished(at, event)

    # --- sweeps ------------------------------------------------------------------------------------------------------

    def _sweep_started(self, at: datetime, event: SweepStarted) -> None:
        tags = {"wb.kind": "sweep", "wb.sweep": _number(event.sweep), "wb.metric": event.metric} | _origin(event)
        tags |= {"wb.direction": event.direction, "wb.seed": str(event.seed), "wb.splits": str(event.splits)}
        tags |= {f"wb.version.{name}": value for name, value in event.provenance.items() if "git" not in name}
        if commit := event.provenance.get("git_commit"):
            tags |= {"wb.code": commit, MLFLOW_GIT_COMMIT: commit}
        key = self._key("sweep", event.sweep)
        run = self._runs.ensure(self._experiment(event.experiment), key, event.title, at, tags)
        if "wb.state" not in run.data.tags:
            self._runs.write(run, tags={"wb.state": "running"})
        self._runs.write(run, params=flat(event.config))

    def _sweep_finished(self, at: datetime, event: SweepFinished) -> None:
        sweep, run = self._sweep(event.sweep)
        for artifact in event.artifacts:
            if artifact.is_file() and run.info.lifecycle_stage != "deleted":
                self._client.log_artifact(run.info.run_id, str(artifact))
        left = {MLFLOW_PARENT_RUN_ID: run.info.run_id}
        for child in self._runs.search(self._experiment(sweep.experiment), left, status="RUNNING"):
            self._runs.close(child, "KILLED", at)
        message = {"wb.message": event.message} if event.message else {}
        self._runs.write(run, tags={"wb.state": event.state, **message})
        self._runs.close(run, SWEEP_STATUS[event.state], at)

    def _improve(self, sweep: SweepStarted, run: Run, score: float, position: int, at: datetime) -> None:
        """Let the sweep's ``score`` be the best one so far: a chart that shows when the search got better."""
        best = run.data.metrics.get("score")
        if math.isfinite(score) and (best is None or better(sweep.direction, score, best)):
            self._runs.log_point(run, "score", score, at, step=position)

    # --- trials ------------------------------------------------------------------------------------------------------

    def _trial_started(self, at: datetime, event: TrialStarted) -> None:
        sweep, parent = self._sweep(event.sweep)
        experiment, key = self._experiment(sweep.experiment), self._key("trial", event.trial)
        run = self._runs.find(experiment, key)
        known = 0 if run is None else _attempt(run)
        if known > event.attempt:
            return
        tags = _trial_tags(sweep, event) | started_tags(event)
        if known < event.attempt:
            tags["wb.state"] = "running"
            if run is not None:
                self._runs.reopen(run)
        run = self._runs.ensure(experiment, key, trial_name(event.family, event.number), at, tags, parent)
        if "wb.compared" not in run.data.tags:  # else its newest comparison has told the newest note
            self._note(run, event.note)

    def _trial_compared(self, position: int, at: datetime, event: TrialCompared) -> None:
        """Show the newest comparison of a trial; a trial may be compared again, with another one."""
        sweep, _ = self._sweep(event.sweep)
        run = self._runs.find(self._experiment(sweep.experiment), self._key("trial", event.trial))
        if run is None or int(run.data.tags.get("wb.compared", "0")) >= position:
            return
        for name in ("difference", "difference_se", "seed_noise"):
            if (value := getattr(event, name)) is not None:
                self._runs.log_point(run, name, value, at, step=position)
        self._note(run, event.note)
        # The position last: where it is, everything is.
        self._runs.write(run, tags={"wb.against": event.against, "wb.verdict": event.verdict})
        self._runs.write(run, tags={"wb.compared": str(position)})

    def _note(self, run: Run, note: str) -> None:
        """Write a trial's note, for MLflow's page too unless a person has written another one there."""
        if not note:
            return
        written = run.data.tags.get(MLFLOW_RUN_NOTE)
        ours = written in (None, "", clip(run.data.tags.get("wb.note", "")))
        self._runs.write(run, tags={"wb.note": note, **({MLFLOW_RUN_NOTE: note} if ours else {})})

    def _trial_finished(self, position: int, at: datetime, event: TrialFinished) -> None:
        sweep, parent = self._sweep(event.sweep)
        experiment, key = self._experiment(sweep.experiment), self._key("trial", event.trial)
        run = self._runs.find(experiment, key)
        if event.state not in TRIAL_STATUS:  # lost: the next attempt goes on in this run
            if run is not None and _attempt(run) == event.attempt:
                self._runs.write(run, tags={"wb.state": event.state})
            return
        if run is None:
            tags = _trial_tags(sweep, event)
            run = self._runs.ensure(experiment, key, trial_name(event.family, event.number), at, tags, parent)
        if _attempt(run) > event.attempt:
            return
        self._write_outcome(run, at, event, sweep.monitor)
        if event.result is not None and event.state == "complete":
            self._improve(sweep, parent, event.result.score, position, at)
        self._runs.close(run, TRIAL_STATUS[event.state], at)

    def _write_outcome(self, run: Run, at: datetime, event: TrialFinished, monitor: str) -> None:
        result, failure = event.result, event.failure
        values = result.values if result else json.loads(run.data.tags.get("wb.values", "{}"))
        if failure and failure.traceback and run.info.lifecycle_stage != "deleted":
            self._client.log_text(run.info.run_id, failure.traceback, "traceback.txt")
        self._runs.write(
            run,
            at=at,
            metrics=sortable(event),
            curves=charts(event, self._journal.reports(event.attempt), monitor),
            params=param_names(event.family, values),
            tags=finished_tags(event),
        )

    # --- blends and models -------------------------------------------------------------------------------------------

    def _blend_finished(self, position: int, at: datetime, event: BlendFinished) -> None:
        sweep, parent = self._sweep(event.sweep)
        experiment, blend = self._experiment(sweep.experiment), event.blend
        name = f"{_number(event.sweep)}.blend {blend.method}"
        tags = {"wb.kind": "blend", "wb.sweep": _number(event.sweep), "wb.state": "complete", **_origin(sweep)}
        run = self._runs.ensure(experiment, self._key("blend", position), name, at, tags, parent)
        scores = blend_data.scores(blend)
        left_out = {"wb.left_out": "; ".join(blend.left_out)} if blend.left_out else {}
        weights = {member.trial: round(member.weight, 6) for member in blend.members}
        self._runs.write(
            run,
            at=at,
            metrics={**scores, "score": blend.nested, "score_se": blend.nested_se, **blend_data.by_member(blend)},
            params=blend_data.params(blend, sweep.config),
            tags={"wb.members": json.dumps(weights), "wb.metric": sweep.metric, **left_out},
        )
        self._runs.close(run, "FINISHED", at)
        self._runs.write(parent, at=at, metrics={f"blend_{name}": value for name, value in scores.items()})
        self._improve(sweep, parent, blend.best_single, position, at)
        for member in blend.members:
            if member.weight > 0.0:
                same = {"wb.trial": member.trial, "wb.fit": member.fit_key, "wb.kind": "trial"}
                for trial in self._runs.search(experiment, same):
                    self._runs.write(trial, tags={"wb.in_blend": "true"})
        if MLFLOW_RUN_NOTE not in run.data.tags:  # else a person may have written another one
            self._runs.write(run, tags={MLFLOW_RUN_NOTE: describe(blend, sweep.metric)})
        files = blend_data.files(blend, sweep.metric)
        self._runs.keep_files(run, files, [name for name in blend_data.TABLES if name in files])

    def _model_exported(self, position: int, event: ModelExported) -> None:
        experiment, key = self._experiment(event.experiment), self._key("model", position)
        blends = self._runs.search(experiment, {"wb.kind": "blend", "wb.sweep": _number(event.sweep)})
        mine = {_position(run): run for run in blends if self._is_mine(run) and _position(run) < position}
        blend = mine[max(mine)] if mine else None
        decision = register(self._client, experiment, blend, key, event)
        _, sweep = self._sweep(event.sweep)
        receipt = Receipt(
            tracking_uri=self._uri,
            sweep_run_id=sweep.info.run_id,
            blend_run_id=blend.info.run_id if blend else None,
            model=registered_name(event.experiment),
            decision=decision,
        )
        write_receipt(event.folder, receipt)

    # --- finding -----------------------------------------------------------------------------------------------------

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            self._experiments[name] = experiment_id(self._client, name, self._uri, self._store)
        return self._experiments[name]

    def _sweep(self, sweep: int) -> tuple[SweepStarted, Run]:
        started = self._sweeps[sweep]
        key = self._key("sweep", sweep)
        run = self._runs.find(self._experiment(started.experiment), key)
        if run is None:
            raise LookupError(f"the run of sweep {sweep} is not in {self._uri}; replay the ledger from event 0")
        return started, run

    def _key(self, kind: str, number: int) -> str:
        self._prefix = self._prefix or journal_key(self._journal)
        return f"{self._prefix}/{kind}/{number}"

    def _is_mine(self, run: Run) -> bool:
        return str(run.data.tags.get("wb.key", "")).startswith(f"{self._prefix}/")


def _number(sweep: int) -> str:
    return f"{sweep:04d}"


def _attempt(run: Run) -> int:
    return int(run.data.tags.get("wb.attempt", "0"))


def _position(run: Run) -> int:
    return int(run.data.tags["wb.key"].rpartition("/")[2])


def _origin(sweep: SweepStarted) -> dict[str, str]:
    """Return the tags that say on what a score was measured; scores compare where they are equal."""
    tags = {"wb.data": sweep.data_key, "wb.folds": sweep.plan_key}
    dirty = sweep.provenance.get("git_dirty")
    return tags if dirty is None else {**tags, "wb.dirty": dirty}


def _trial_tags(sweep: SweepStarted, event: TrialStarted | TrialFinished) -> dict[str, str]:
    trial = {"wb.family": without_features(event.family), "wb.trial": trial_name(event.family, event.number)}
    return {"wb.kind": "trial", "wb.sweep": _number(event.sweep), **trial, **_origin(sweep)}
