"""The search part of a sweep: every family's open trials, on one executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workbench import registry
from workbench.config.models import FamilyConfig, PrunerConfig, ScreenConfig, SearchConfig
from workbench.errors import ConfigError
from workbench.execution.contract import RUNNER, Executor, ExecutorOptions
from workbench.metrics import monitored
from workbench.search.describe import describe, describe_all
from workbench.search.driver import Driver
from workbench.search.engine import Engine, EngineOptions
from workbench.search.lane import FAILURES_ALLOWED, Lane, Screening
from workbench.search.progress import Observer
from workbench.search.pruning import Pruner, PrunerOptions, make_pruner
from workbench.search.spaces import with_ranges
from workbench.search.warm_start import Change, find_change, first_values
from workbench.seeds import derive_seed
from workbench.store.ledger import ENDED, Study, Trial
from workbench.types import Description, Direction, FamilyRef, Job, Screen, Space
from workbench.workspace import Workspace

OBJECTIVES: dict[str, Direction] = {"fit_s": "minimize", "predict_s": "minimize", "weights": "minimize"}
"""Of a result's fields that may be searched for beside the score."""


@dataclass(frozen=True)
class Budget:
    """How much each study may have in all, and until when."""

    totals: dict[str, int]
    """Trials, by family."""
    deadline: float | None = None
    """Moment of ``time.monotonic()`` at which the search ends."""
    forgiving: bool = False
    """Whether families that failed three times in a row are tried again."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of workers, by family; families that are absent have no limit."""


def resolve_budget(workspace: Workspace, trials: int | None, more: int, deadline: float | None) -> Budget:
    """Return the budget, counted once: ``more`` is beyond what there is now.

    Raises:
        ConfigError: both are given, or one is out of range.
    """
    if trials is not None and more:
        raise ConfigError("give one of trials (in all) and more (beyond those that there are), not both")
    if more < 0 or (trials is not None and trials < 1):
        raise ConfigError(f"a budget is a number of trials above 0, got trials={trials}, more={more}")
    config = workspace.experiment.config
    planned = _planned(config.family_configs, config.search)
    totals = {}
    for study in workspace.studies:
        known = workspace.ledger.searched(study.id) if more else 0
        totals[study.family] = known + more if more else trials or planned[study.family]
    return Budget(totals, deadline, more > 0, _seconds(config.family_configs, config.search))


def _planned(families: Sequence[FamilyConfig], search: SearchConfig) -> dict[str, int]:
    """Return each family's trials: its own, else its part of those in all, else as many as every one has."""
    found = {family.label: family.trials or search.trials for family in families}
    if search.trials_in_all is not None:
        sharing = [family.label for family in families if family.trials is None]
        left = search.trials_in_all - sum(family.trials or 0 for family in families)
        if left < len(sharing):
            raise ConfigError(
                f"search.trials_in_all is {search.trials_in_all}: {max(0, left)} trials are left for {len(sharing)} "
                f"families ({', '.join(sharing)}); each needs one"
            )
        # The first ones get what does not divide evenly.
        found |= {name: (left + len(sharing) - 1 - place) // len(sharing) for place, name in enumerate(sharing)}
    return found


def _seconds(families: Sequence[FamilyConfig], search: SearchConfig) -> dict[str, float]:
    """Return each family's seconds of workers, where they are limited; workers that share a GPU share its hours."""
    own = {family.label: family.device_hours for family in families if family.device_hours is not None}
    sharing = [family.label for family in families if family.label not in own]
    if search.device_hours is not None and sharing:
        part = max(0.0, search.device_hours - sum(own.values())) / len(sharing)
        own |= dict.fromkeys(sharing, part)
    return {name: 3600.0 * hours for name, hours in own.items()}


def has_work(workspace: Workspace, budget: Budget) -> bool:
    """Say whether any family has trials left, without starting anything."""
    return any(_has_work(workspace, study, budget) for study in workspace.studies)


def _has_work(workspace: Workspace, study: Study, budget: Budget) -> bool:
    if study.space is None:
        return True
    trials = [trial for trial in workspace.ledger.trials(study.id) if trial.origin == "search"]
    if not budget.forgiving and _failing(trials):
        return False
    total = budget.totals[study.family] if study.space.searched else 1
    screen = workspace.experiment.config.search.screen
    promoted = sum(trial.stage == "promoted" for trial in trials)
    waiting = any(trial.state == "screened" for trial in trials)
    unfinished = screen is not None and waiting and promoted < screen.promote
    return unfinished or any(trial.state == "queued" for trial in trials) or len(trials) < total


def _failing(trials: list[Trial]) -> bool:
    ended = [trial.state for trial in trials if trial.state in ENDED][-FAILURES_ALLOWED:]
    return ended == ["failed"] * FAILURES_ALLOWED


def find_changes(workspace: Workspace) -> list[Change]:
    """Return what has changed since the last trials of families whose studies are new."""
    name = workspace.experiment.name
    found = (find_change(workspace.ledger, name, study) for study in workspace.studies)
    return [change for change in found if change is not None]


@dataclass(frozen=True)
class Search:
    """An executor that is warm, and families that are known: what has to be sound before a sweep begins."""

    workspace: Workspace
    executor: Executor
    lanes: list[Lane]
    observer: Observer
    deadline: float | None

    def run(self, sweep: int) -> None:
        """Run trials until the budget is used up, and close the executor."""
        observer, ledger, experiment = self.observer, self.workspace.ledger, self.workspace.experiment
        for lane in self.lanes:
            if lane.failing:
                observer.notice(
                    f"{lane.name}: its last trials failed; when the cause is mended, try again with --more N"
                )
        observer.phase("searching")
        halve = experiment.config.training.halve_batch_on_oom
        Driver(
            *(ledger, self.executor, sweep, self.lanes, observer, self.deadline),
            store=experiment.store,
            halve_on_oom=halve,
        ).run()
        self.executor.close()
        untried = [lane.name for lane in self.lanes if not lane.failing and lane.done == 0]
        if untried:
            observer.notice(f"no trial of {', '.join(untried)} has ended: there was no time")
        elsewhere = sum(ledger.counts(study.id).get("running", 0) for study in self.workspace.studies)
        if elsewhere:
            observer.notice(f"another run is at work on {elsewhere} trials; they are not in this delivery")


@contextmanager
def open_search(workspace: Workspace, budget: Budget, observer: Observer, runner: str = RUNNER) -> Iterator[Search]:
    """Describe the families that are new; nothing of the executor outlives the block.

    Raises:
        ConfigError: the configuration asks for an engine, a pruner, ranges or values that there cannot be.
        FactoryError: a factory or a feature set cannot be used; nothing was searched yet.
    """
    executor = make_executor(workspace, runner)
    try:
        spaces = _spaces(workspace, executor, observer)
        changes = {change.family: change for change in find_changes(workspace)}
        for change in changes.values():
            observer.notice(f"{change} with the best of those")
        lanes = [
            _lane(workspace, *known, budget, changes.get(known[0].name))
            for known in zip(workspace.families, workspace.studies, spaces, strict=True)
        ]
        yield Search(workspace, executor, lanes, observer, budget.deadline)
    finally:
        executor.close()


def make_executor(workspace: Workspace, runner: str) -> Executor:
    """Return the configured executor; who asks for it closes it."""
    training = workspace.experiment.config.training
    options = ExecutorOptions(
        runner=runner,
        backend=training.backend,
        logs=workspace.experiment.store / "logs",
        workers=None if training.workers == "auto" else training.workers,
        workers_per_gpu=training.workers_per_gpu,
        worker_memory=training.worker_memory,
    )
    executor: Executor = registry.resolve("executors", training.executor)(options)
    return executor


def described(workspace: Workspace, executor: Executor, family: FamilyRef, study: Study, observer: Observer) -> Space:
    """Have a family described in a worker, keep its space with the study, and return it.

    Raises:
        FactoryError: the factory cannot be used.
    """
    observer.phase(f"describing {family.name}")
    description = describe(executor, _describe_job(workspace, family))
    return _keep(workspace, study, description, observer)


def _spaces(workspace: Workspace, executor: Executor, observer: Observer) -> list[Space]:
    """Return each family's space: what the factory declares, with the ranges that the configuration gives it."""
    studies = dict(zip(workspace.families, workspace.studies, strict=True))
    spaces = {study.id: study.space for study in studies.values()}
    new = [family for family in workspace.families if studies[family].space is None]
    answers = describe_all(executor, [_describe_job(workspace, family) for family in new], _announcing(observer))
    for family, description in zip(new, answers, strict=True):
        spaces[studies[family].id] = _keep(workspace, studies[family], description, observer)
    ranged = {f.label: f.space for f in workspace.experiment.config.family_configs if f.space}
    return [_ranged(workspace, executor, family, spaces[study.id], ranged) for family, study in studies.items()]


def _ranged(
    workspace: Workspace, executor: Executor, family: FamilyRef, space: Space | None, ranged: dict[str, dict[str, Any]]
) -> Space:
    if space is None:
        raise TypeError(f"family '{family.name}' was not described")
    if family.name not in ranged:
        return space
    changed = with_ranges(space, ranged[family.name], family.name)
    # Values that are possible now may declare parameters that nobody has met.
    job = _describe_job(workspace, family).model_copy(update={"space": changed})
    return describe(executor, job).space


def _announcing(observer: Observer) -> Any:
    return lambda job: observer.phase(f"describing {job.family.name}")


def _describe_job(workspace: Workspace, family: FamilyRef) -> Job:
    return workspace.job(family).model_copy(update={"kind": "describe", "job_id": f"describe {family.name}"})


def _keep(workspace: Workspace, study: Study, description: Description, observer: Observer) -> Space:
    for notice in description.notices:
        observer.notice(f"{study.family}: {notice}")
    workspace.ledger.set_space(study.id, description.space)
    return description.space


def _lane(
    workspace: Workspace, family: FamilyRef, study: Study, space: Space, budget: Budget, change: Change | None
) -> Lane:
    config, ledger, direction = workspace.experiment.config, workspace.ledger, workspace.metric.direction
    entry = next(entry for entry in config.family_configs if entry.label == family.name)
    template = workspace.job(family).model_copy(update={"checkpoint_s": config.training.checkpoint})
    lane = Lane(
        study=study,
        space=space,
        engine=_engine(workspace, family),
        ground=workspace.ground,
        template=template.model_copy(update={"space": space}) if entry.space else template,
        total=budget.totals[family.name],
        direction=direction,
        objectives=config.search.objectives,
        pruner=_pruner(workspace),
        screening=_screening(config.search.screen),
        screening_pruner=_pruner(workspace),
        enqueued=first_values(
            *(ledger, study, space, direction),
            enqueue=entry.enqueue,
            warm_start=config.search.warm_start,
            experiment=workspace.experiment.name,
            change=change,
        ),
        seconds_allowed=budget.seconds.get(family.name),
        spent=ledger.spent(study.id) if family.name in budget.seconds else 0.0,
        trial_seconds=config.search.trial_time,
    )
    lane.restore(ledger.trials(study.id), ledger.reports, forgive=budget.forgiving)
    return lane


def _engine(workspace: Workspace, family: FamilyRef) -> Engine:
    search = workspace.experiment.config.search
    options = EngineOptions(
        direction=workspace.metric.direction if search.objectives[0] == "score" else OBJECTIVES[search.objectives[0]],
        seed=derive_seed(workspace.ground.seed, family.name, "engine"),
        startup=search.startup,
        sampler=search.sampler,
        others=tuple(OBJECTIVES.get(name, workspace.metric.direction) for name in search.objectives[1:]),
        epochs=workspace.ground.settings.epochs,
    )
    engine: Engine = registry.resolve("engines", search.engine)(options)
    return engine


def _pruner(workspace: Workspace) -> Pruner:
    """Return what ends hopeless trials; with several objectives none is hopeless for its score."""
    search = workspace.experiment.config.search
    asked = search.pruner if isinstance(search.pruner, PrunerConfig) else PrunerConfig(name=search.pruner)
    name = asked.name if len(search.objectives) == 1 else "none"
    direction = monitored(workspace.metric).direction
    return make_pruner(PrunerOptions(name, direction, asked.options if name == asked.name else {}))


def _screening(config: ScreenConfig | None) -> Screening | None:
    if config is None:
        return None
    return Screening(Screen(splits=config.splits, rows=config.rows, epochs=config.epochs), config.promote)
