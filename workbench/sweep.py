"""A sweep, in one straight line: data, folds, search, blend, model, submission."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench import signals
from workbench.blend_stage import blend_trials
from workbench.blending.result import BlendResult, MemberRef
from workbench.config import ExperimentConfig
from workbench.delivery.leaderboard import Row, write_csv
from workbench.delivery.refit import Refits
from workbench.delivery.result import ResultPaths, Scores, SweepResult, read_result, write_result
from workbench.delivery.tally import Tally, tallies
from workbench.delivery_stage import Delivery
from workbench.errors import ConfigError, NothingToDeliver, StoreError
from workbench.execution.contract import RUNNER
from workbench.experiment import Experiment
from workbench.final_stage import refit
from workbench.holdout_stage import holdout_score, unscored
from workbench.metrics import monitored
from workbench.search.progress import Observer, Silent
from workbench.search_budget import Budget, closed, has_work, resolve_budget
from workbench.search_stage import find_changes, open_search
from workbench.store.backup import back_up
from workbench.store.database import shown_url
from workbench.store.events import BlendFinished, ModelExported, SweepFinished, SweepStarted
from workbench.tracking.projector import Projector, catch_up, start_projector
from workbench.tracking.provenance import provenance
from workbench.tracking.reachable import without_password
from workbench.tracking.receipt import Receipt, read_receipt
from workbench.tracking.uri import tracking_uri
from workbench.types import jsonable
from workbench.workspace import Workspace, open_workspace

RESERVE = (0.2, 15.0, 45.0)
"""Share of a time budget that is kept for the delivery, and its bounds in seconds: two processes import MLflow."""

SHOWN_NAMES = 5

TRACKING_SECONDS = 30.0
"""How long a finished sweep waits for MLflow. What is late then is caught up by the next run."""

STOPPED_SECONDS = 8.0
"""The same for a sweep that somebody stops, who is waiting for it to end."""


@signals.listening()
def run(
    experiment: Experiment | Path | str,
    *,
    trials: int | None = None,
    more: int = 0,
    seconds: float | None = None,
    strict: bool = False,
    observer: Observer | None = None,
    runner: str = RUNNER,
) -> SweepResult:
    """Search an experiment's families, blend the best, and deliver a checked submission and a registered model.

    Run again, it goes on: an interrupted sweep's trials are taken up, finished ones are never run twice, and where
    nothing is left to do the last result is returned. It takes no turn: runs side by side share the ledger.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        trials: trials of each family in all, instead of the configuration's.
        more: trials of each family beyond those that there are.
        seconds: time for this run, delivery included, instead of the configuration's.
        strict: refuse to begin new studies because code or data have changed since the last trials.
        observer: is told how it goes.
        runner: dotted name of what trains; for tests.

    Raises:
        UserError: the configuration, the data or a factory cannot be used.
        NothingToDeliver: no trial is complete.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    experiment = Experiment.of(experiment)
    observer = observer or Silent()
    observer.phase("reading data")
    with open_workspace(experiment) as workspace:
        for notice in (*workspace.dataset.notices, *workspace.plan.notices):
            observer.notice(notice)
        Delivery(workspace, experiment.store).check()
        if hint := _renamed(workspace):
            observer.notice(f"'{experiment.name}' is new here{hint}")
        workspace.ledger.reap()
        if strict:
            _refuse_changes(workspace)
        limit = experiment.config.search.time if seconds is None else seconds
        budget = resolve_budget(workspace, trials, more, _deadline(began, limit))
        if not has_work(workspace, budget):
            return _without_search(workspace, budget, began, observer, runner)
        with open_search(workspace, budget, observer, runner) as search, open_sweep(workspace, began) as sweep:
            search.run(sweep.number)
            return sweep.deliver(observer, runner)


def _without_search(workspace: Workspace, budget: Budget, began: float, observer: Observer, runner: str) -> SweepResult:
    """Return what was delivered last, or deliver what is stored, and say why nothing is searched."""
    reasons = closed(workspace, budget)
    for reason in reasons:
        observer.notice(reason)
    finished = _delivered(workspace)
    if finished is None:
        with open_sweep(workspace, began) as sweep:
            return sweep.deliver(observer, runner)
    ended = "all else is done" if reasons else "every trial is done"
    observer.notice(f"{ended} and delivered; add some with --more N")
    if not _catch_up(workspace):
        observer.notice("MLflow lacks something still; the next run tries again")
    uri = tracking_uri(workspace.experiment.config.tracking, workspace.experiment.store)
    return finished.model_copy(update={"tracking_uri": uri, "seconds": time.monotonic() - began})


@signals.listening()
def submit(experiment: Experiment, observer: Observer | None = None) -> SweepResult:
    """Deliver from what is stored: blend, model and submission, as a sweep of its own that searches nothing."""
    began = time.monotonic()
    with open_workspace(experiment) as workspace:
        workspace.ledger.reap()
        with open_sweep(workspace, began) as sweep:
            return sweep.deliver(observer or Silent())


@signals.listening()
def ensemble(experiment: Experiment, show: Callable[[BlendResult], None] = lambda _: None) -> BlendResult:
    """Fit the blend of the stored trials and return it; nothing is written but its MLflow run.

    ``show`` is called with it before that is waited for.
    """
    began = time.monotonic()
    with open_workspace(experiment) as workspace, open_sweep(workspace, began, "ensemble") as sweep:
        blended = blend_trials(workspace)
        workspace.ledger.append(BlendFinished(sweep=sweep.number, blend=blended))
        show(blended)
        return blended


def stored_leaderboard(experiment: Experiment, per_family: int) -> tuple[tuple[Row, ...], tuple[Tally, ...]]:
    """Return the best stored trials, beside the last blend that was delivered, and what became of all of them."""
    with open_workspace(experiment) as workspace:
        counted = tallies(workspace.trials())
        last = _last_delivered(workspace)
        blended = None if last is None else _blend_of(last)
        refits = Refits() if last is None else last.refitted
        rows = Delivery(workspace, experiment.store).leaderboard(blended, per_family, refits)
        hint = "" if rows else _renamed(workspace)
    if not rows:
        raise NothingToDeliver(
            f"no trial of '{experiment.name}' as it is now is complete in {experiment.store}; run it{hint}"
        )
    return rows, counted


def _renamed(workspace: Workspace) -> str:
    """Return a hint where the store is only of experiments of other names, as when a folder was renamed."""
    name, known = workspace.experiment.name, workspace.ledger.experiments()
    if not known or name in known:
        return ""
    return f" (the store holds trials of {', '.join(known)}: 'name: {known[0]}' in experiment.yaml goes on with them)"


def _last_delivered(workspace: Workspace) -> SweepResult | None:
    """Return what was delivered last, if its members are trials of the workspace's studies."""
    last = workspace.ledger.last_delivery(workspace.experiment.name)
    result = _readable_result(sweep_folder(workspace.experiment, last[0])) if last else None
    if result is None:
        return None
    known = {(t.name, t.result.fit_key) for t in workspace.trials() if t.result is not None}
    if not {(member.trial, member.fit_key) for member in result.members} <= known:
        return None
    return result


def _blend_of(result: SweepResult) -> BlendResult:
    """Return a delivered blend, as far as a leaderboard shows it."""
    given = {name: getattr(result.scores, name) for name in ("in_sample", "nested", "nested_se", "best_single")}
    scores = {name: math.nan if value is None else value for name, value in given.items()}
    return BlendResult(method=result.method, members=result.members, holdout=result.scores.held, **scores)


def _refuse_changes(workspace: Workspace) -> None:
    """Raise `ConfigError` where a family would begin a new study."""
    changes = find_changes(workspace)
    if changes:
        advice = "nothing was run; without --strict the best of those trials are tried first"
        raise ConfigError("\n".join([*map(str, changes), advice]))


def _deadline(began: float, seconds: float | None) -> float | None:
    """Return when the search must end for the delivery to be in time."""
    if seconds is None:
        return None
    share, least, most = RESERVE
    return began + max(0.5 * seconds, seconds - min(max(share * seconds, least), most))


def _delivered(workspace: Workspace) -> SweepResult | None:
    """Return the last result, if nothing that it depends on has changed since."""
    last = workspace.ledger.last_delivery(workspace.experiment.name)
    if last is None:
        return None
    number, key = last
    folder = sweep_folder(workspace.experiment, number)
    if key != Delivery(workspace, folder).key() or (result := _readable_result(folder)) is None:
        return None
    if result.paths.folder != folder:
        return None  # the experiment was moved or copied: what it names is elsewhere
    paths = (result.paths.leaderboard, result.paths.submission, result.paths.model)
    return result if all(path is None or path.exists() for path in paths) else None


def _readable_result(folder: Path) -> SweepResult | None:
    """Return a sweep's result; ``None`` where it is gone or damaged: it is then delivered anew from the ledger."""
    try:
        return read_result(folder / "result.json")
    except StoreError:
        return None


def sweep_folder(experiment: Experiment, number: int) -> Path:
    """Return the folder of what a sweep leaves behind."""
    return experiment.store / "sweeps" / f"{number:04d}"


@dataclass
class Sweep:
    """A sweep that has begun."""

    number: int
    title: str
    workspace: Workspace
    projector: Projector
    began: float
    versions: dict[str, str]
    artifacts: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the sweep's files go."""
        return sweep_folder(self.workspace.experiment, self.number)

    def deliver(self, observer: Observer, runner: str = RUNNER) -> SweepResult:
        """Blend, refit where that is asked for, export, submit, and write what it came to."""
        workspace, delivery = self.workspace, Delivery(self.workspace, self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        key = delivery.key()  # before the blend: a trial that ends meanwhile is for the next delivery
        observer.phase("blending")
        blended = delivery.blend()
        blended = blended.model_copy(update={"holdout": holdout_score(workspace, blended)})
        for line in (*blended.left_out, *unscored(workspace, blended)):
            observer.notice(line)
        workspace.ledger.append(BlendFinished(sweep=self.number, blend=blended))
        exported = delivery.exportable(blended)
        if exported is not blended:
            observer.notice(_left_out_of_model(delivery.without_models(blended), exported))
        refits = refit(workspace, (blended, exported), observer, runner)
        refit_holdout = self._refit_holdout(blended, refits)
        if refit_holdout is not None:
            observer.notice(f"refitted, the blend has {refit_holdout:.5g} on the holdout")
        ours = refits.among(blended)
        board = write_csv(self.folder / "leaderboard.csv", delivery.leaderboard(blended, refits=ours))
        observer.phase("exporting the model and predicting the test table")
        submission = delivery.export(exported, refits.among(exported))
        if exported is not blended:
            submission = delivery.submit(ours.applied(blended))
        observer.phase("logging to MLflow")
        receipt = self.register(exported, delivery.model)
        observer.notice(_registered(receipt))
        paths = ResultPaths(
            folder=self.folder,
            store=workspace.experiment.store,
            leaderboard=board,
            submission=submission,
            model=delivery.model,
        )
        result = self._result(blended, refits, paths, receipt, refit_holdout)
        self.artifacts = tuple(p for p in (write_result(self.folder / "result.json", result), board, submission) if p)
        delivery.keep_bundles(blended, exported)
        workspace.ledger.record_delivery(self.number, key)
        return result

    def register(self, blended: BlendResult, model: Path) -> Receipt | None:
        """Hand the model to the registry, and wait a little for it; ``None`` where it has not answered by then."""
        workspace = self.workspace
        exported = ModelExported(
            sweep=self.number,
            experiment=workspace.experiment.name,
            folder=model,
            metric=workspace.metric.name,
            direction=workspace.metric.direction,
            score=blended.nested,
            data_key=workspace.dataset.key,
            plan_key=workspace.plan.key,
        )
        self.projector.wait(workspace.ledger.append(exported), TRACKING_SECONDS)
        return read_receipt(model)

    def _refit_holdout(self, blended: BlendResult, refits: Refits) -> float | None:
        ours = refits.among(blended)
        held = holdout_score(self.workspace, ours.applied(blended)) if ours.done else None
        return None if held is None else held.holdout

    def _result(
        self,
        blended: BlendResult,
        refits: Refits,
        paths: ResultPaths,
        receipt: Receipt | None,
        refit_holdout: float | None,
    ) -> SweepResult:
        workspace, experiment = self.workspace, self.workspace.experiment
        counted = tallies(workspace.trials())
        return SweepResult(
            experiment=experiment.name,
            sweep=self.number,
            title=self.title,
            metric=workspace.metric.name,
            direction=workspace.metric.direction,
            scores=Scores.of(blended).model_copy(update={"refit_holdout": refit_holdout}),
            method=blended.method,
            members=blended.members,
            refits=tuple(refits.of.values()),
            trials={s.family: workspace.ledger.counts(s.id) for s in (*workspace.studies, *workspace.guests)},
            failures={tally.family: tally.failures for tally in counted if tally.failures},
            promoted={tally.family: tally.promoted for tally in counted if tally.promoted},
            seconds=time.monotonic() - self.began,
            seed=experiment.config.seed,
            data_key=workspace.dataset.key,
            plan_key=workspace.plan.key,
            paths=paths,
            tracking_uri=tracking_uri(experiment.config.tracking, experiment.store),
            mlflow_run_id=receipt.sweep_run_id if receipt else None,
            versions=self.versions,
        )


def _left_out_of_model(lacking: Sequence[MemberRef], exported: BlendResult) -> str:
    given, own = (_some([m.trial for m in lacking if ("@" in m.family) is guests]) for guests in (True, False))
    said = [f"{given} brought predictions and no model"] if given else []
    said += [f"of {own} only predictions were kept"] if own else []
    return (
        f"{'; '.join(said)}: the submission blends them, the exported model is a blend without them "
        f"(nested {exported.nested:.5g})"
    )


def _some(names: Sequence[str]) -> str:
    """Return names, the first few of many."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _registered(receipt: Receipt | None) -> str:
    if receipt is None:
        return "MLflow has not answered yet; what it lacks is logged by the next run"
    return f"registered as '{receipt.model}': {receipt.decision}"


def _catch_up(workspace: Workspace) -> bool:
    """Show in MLflow what earlier runs could not, as when the server was away."""
    experiment, config = workspace.experiment, workspace.experiment.config.tracking
    uri = tracking_uri(config, experiment.store)
    return catch_up(workspace.ledger, experiment.store, uri, tensorboard=config.tensorboard, timeout=TRACKING_SECONDS)


def _shown(config: ExperimentConfig) -> dict[str, Any]:
    """Return the configuration as everybody may see it in MLflow: without the passwords of URLs."""
    shown: dict[str, Any] = jsonable(config)
    if config.ledger is not None:
        shown["ledger"] = shown_url(config.ledger)
    if config.tracking.uri is not None:
        shown["tracking"]["uri"] = without_password(config.tracking.uri)
    return shown


@contextlib.contextmanager
def open_sweep(workspace: Workspace, began: float, subject: str = "") -> Iterator[Sweep]:
    """Open a sweep and show it in MLflow while it lasts; however the block ends, the ledger and MLflow say so.

    Its title is its number and ``subject``; without one the experiment's name and the date.
    """
    versions = provenance(workspace.experiment.root)
    with signals.deferred():  # a sweep that has begun is ended, whenever a signal comes
        sweep = _begin(workspace, began, subject, versions)
        ledger, number, patience = workspace.ledger, sweep.number, TRACKING_SECONDS
        try:
            with signals.at_once():
                yield sweep
        except KeyboardInterrupt as error:
            patience = STOPPED_SECONDS
            ledger.close_sweep(SweepFinished(sweep=number, state="interrupted", message=type(error).__name__))
            raise
        except BaseException as error:
            ledger.close_sweep(SweepFinished(sweep=number, state="failed", message=str(error)[:2000]))
            raise
        else:
            ledger.close_sweep(SweepFinished(sweep=number, state="complete", artifacts=sweep.artifacts))
        finally:
            with signals.at_once():
                sweep.projector.close(patience)
            with contextlib.suppress(StoreError):  # the sweep itself is whole
                back_up(ledger.url)


def _begin(workspace: Workspace, began: float, subject: str, versions: dict[str, str]) -> Sweep:
    """Write down that a sweep begins, and start its projector."""
    experiment, ledger = workspace.experiment, workspace.ledger
    number = ledger.open_sweep(experiment.name)
    title = f"{number:04d} {subject or f'{experiment.name} {datetime.now(UTC):%Y-%m-%d}'}"
    ledger.append(
        SweepStarted(
            sweep=number,
            experiment=experiment.name,
            title=title,
            metric=workspace.metric.name,
            direction=workspace.metric.direction,
            monitor=monitored(workspace.metric).name,
            seed=experiment.config.seed,
            config=_shown(experiment.config),
            data_key=workspace.dataset.key,
            plan_key=workspace.plan.key,
            splits=workspace.plan.splits,
            provenance=versions,
        )
    )
    config = experiment.config.tracking
    projector = start_projector(
        ledger, experiment.store, tracking_uri(config, experiment.store), tensorboard=config.tensorboard
    )
    return Sweep(number, title, workspace, projector, began, versions)
