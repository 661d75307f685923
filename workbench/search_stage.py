"""The search part of a sweep: every family's open trials, on one executor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from workbench import registry
from workbench.config.models import FamilyConfig, PrunerConfig, RangeConfig, SearchConfig
from workbench.errors import ConfigError
from workbench.execution.contract import RUNNER, Executor
from workbench.listening import Listener
from workbench.metrics import monitored
from workbench.search.describe import describe, describe_all
from workbench.search.driver import Driver
from workbench.search.engine import Engine, EngineOptions
from workbench.search.lane import Lane
from workbench.search.pool import Pool
from workbench.search.progress import Observer
from workbench.search.pruning import NoPruner, Pruner, PrunerOptions, make_pruner
from workbench.search.screening import Screening
from workbench.search.spaces import with_ranges
from workbench.search.warm_start import Change, find_change, first_values
from workbench.search_budget import Budget, planned
from workbench.seeds import derive_seed
from workbench.store.ledger import Shared, Study
from workbench.types import Description, Direction, FamilyRef, Job, Screen, Space, Values
from workbench.wording import counted
from workbench.workspace import Workspace

OBJECTIVES: dict[str, Direction] = {"fit_s": "minimize", "predict_s": "minimize", "weights": "minimize"}
"""Of a result's fields that may be searched for beside the score."""


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
    pool: Pool | None = None

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
            pool=self.pool,
        ).run()
        self.executor.close()
        if self.pool is not None and self.pool.summary:
            observer.notice(self.pool.summary)
        for lane in self.lanes:
            if lane.dry:
                known = counted(lane.done, "trial")
                observer.notice(f"{lane.name}: after {known} nothing is left to suggest; another sampler may go on")
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
        means = [_means(workspace, family) for family in workspace.families]
        if _prunes_in_vain(workspace.experiment.config.search):
            observer.notice("search.pruner is not used: no trial is hopeless for what search.objectives asks for")
        spaces = _spaces(workspace, executor, observer)
        budget = planned(workspace, budget, dict(spaces))
        changes = {change.family: change for change in find_changes(workspace)}
        for change in changes.values():
            without = ", without what those have found: they have seen rows of the holdout"
            observer.notice(f"{change} with the best of those" if change.informs else f"{change}{without}")
        pool = _pool(workspace, budget, observer)
        lanes = [
            _lane(workspace, *known, spaces[known[0].name], budget, pool)
            for known in zip(workspace.families, workspace.studies, means, strict=True)
        ]
        for lane in lanes:
            lane.enqueued = _first(workspace, lane, changes.get(lane.name), observer)
            lane.restore(workspace.ledger.trials(lane.study.id), workspace.ledger.reports, forgive=budget.forgiving)
        yield Search(workspace, executor, lanes, observer, budget.deadline, pool)
    finally:
        executor.close()


def make_executor(workspace: Workspace, runner: str) -> Executor:
    """Return the configured executor; who asks for it closes it."""
    made = registry.resolve("executors", workspace.experiment.config.training.executor)
    executor: Executor = made(workspace.executor_options(runner))
    return executor


# --- spaces ----------------------------------------------------------------------------------------------------------


def described(workspace: Workspace, executor: Executor, family: FamilyRef, study: Study, observer: Observer) -> Space:
    """Have a family described in a worker, keep its space with the study, and return it.

    Raises:
        FactoryError: the factory cannot be used.
    """
    observer.phase(f"describing {family.name}")
    description = describe(executor, _describe_job(workspace, family))
    return _keep(workspace, study, description, observer)


def _spaces(workspace: Workspace, executor: Executor, observer: Observer) -> dict[str, Space]:
    """Return each family's space: what the factory declares, with the ranges that the configuration gives it."""
    studies = {study.family: study for study in workspace.studies}
    new = [family for family in workspace.families if studies[family.name].space is None]

    def say(job: Job) -> None:
        observer.phase(f"describing {job.family.name}")

    answers = describe_all(executor, [_describe_job(workspace, family) for family in new], say)
    spaces = {study.family: study.space for study in studies.values() if study.space is not None}
    for family, description in zip(new, answers, strict=True):
        spaces[family.name] = _keep(workspace, studies[family.name], description, observer)
    for entry, family in zip(workspace.experiment.config.family_configs, workspace.families, strict=True):
        if entry.space:
            spaces[family.name] = ranged(workspace, executor, family, spaces[family.name], entry.space)
    return spaces


def ranged(
    workspace: Workspace, executor: Executor, family: FamilyRef, space: Space, ranges: Mapping[str, RangeConfig]
) -> Space:
    """Return a family's space with other ranges; values that are possible then may declare more parameters.

    Raises:
        ConfigError: the space has no such parameter, or it cannot have that range.
        FactoryError: the factory cannot be used with values that are possible then.
    """
    changed = with_ranges(space, ranges, family.name)
    return describe(executor, _describe_job(workspace, family).model_copy(update={"space": changed})).space


def _describe_job(workspace: Workspace, family: FamilyRef) -> Job:
    return workspace.job(family).model_copy(update={"kind": "describe", "job_id": f"describe {family.name}"})


def _keep(workspace: Workspace, study: Study, description: Description, observer: Observer) -> Space:
    for notice in description.notices:
        observer.notice(f"{study.family}: {notice}")
    workspace.ledger.set_space(study.id, description.space)
    return description.space


# --- a family's lane -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Means:
    """What a family is searched with: known to be sound before anything is described."""

    engine: Engine
    pruner: Pruner
    screening_pruner: Pruner
    screening: Screening | None


def _means(workspace: Workspace, family: FamilyRef) -> _Means:
    pruners = _pruner(workspace), _pruner(workspace)
    return _Means(_engine(workspace, family), *pruners, _screening(workspace))


def _pool(workspace: Workspace, budget: Budget, observer: Observer) -> Pool | None:
    """Return the last part of the budget, where families share it."""
    if not budget.own:
        return None
    studies = tuple(study.id for study in workspace.studies if study.family in budget.own)
    listener = Listener(workspace, observer.notice)
    share, seed = workspace.experiment.config.search.listen, workspace.ground.seed
    return Pool(workspace.ledger, Shared(studies, budget.shared), seed, listener, share, observer.notice)


def _lane(
    workspace: Workspace,
    family: FamilyRef,
    study: Study,
    means: _Means,
    space: Space,
    budget: Budget,
    pool: Pool | None,
) -> Lane:
    config, seconds = workspace.experiment.config, budget.seconds.get(family.name)
    known = {"checkpoint_s": config.training.checkpoint, "may_be_pruned": not isinstance(means.pruner, NoPruner)}
    template = workspace.job(family).model_copy(update=known)
    if _entry(workspace, family.name).space:
        template = template.model_copy(update={"space": space})
    return Lane(
        study=study,
        space=space,
        engine=means.engine,
        ground=workspace.ground,
        template=template,
        total=budget.own.get(family.name, budget.totals[family.name]),
        shared=pool.shared if pool is not None and family.name in budget.own else None,
        direction=workspace.metric.direction,
        objectives=config.search.objectives,
        pruner=means.pruner,
        screening=means.screening,
        screening_pruner=means.screening_pruner,
        seconds_allowed=seconds,
        spent=0.0 if seconds is None else workspace.ledger.spent(study.id),
        trial_seconds=config.search.trial_time,
    )


def _entry(workspace: Workspace, family: str) -> FamilyConfig:
    return next(entry for entry in workspace.experiment.config.family_configs if entry.label == family)


def _first(workspace: Workspace, lane: Lane, change: Change | None, observer: Observer) -> list[Values]:
    return first_values(
        *(workspace.ledger, lane.study, lane.space, lane.direction),
        enqueue=_entry(workspace, lane.name).enqueue,
        warm_start=workspace.experiment.config.search.warm_start,
        experiment=workspace.experiment.name,
        change=change,
        say=observer.notice,
    )


def _engine(workspace: Workspace, family: FamilyRef) -> Engine:
    search, score = workspace.experiment.config.search, workspace.metric.direction
    direction, *others = (OBJECTIVES.get(name, score) for name in search.objectives)
    options = EngineOptions(
        direction=direction,
        seed=derive_seed(workspace.ground.seed, family.name, "engine"),
        startup=search.startup,
        sampler=search.sampler,
        others=tuple(others),
        epochs=workspace.ground.settings.epochs,
    )
    engine: Engine = registry.resolve("engines", search.engine)(options)
    return engine


def _pruner(workspace: Workspace) -> Pruner:
    """Return what ends trials that are hopeless for their score; there are none where more is asked for."""
    search = workspace.experiment.config.search
    asked = search.pruner if isinstance(search.pruner, PrunerConfig) else PrunerConfig(name=search.pruner)
    pruner = make_pruner(PrunerOptions(asked.name, monitored(workspace.metric).direction, asked.options))
    return pruner if search.objectives == ("score",) else NoPruner()


def _prunes_in_vain(search: SearchConfig) -> bool:
    return search.objectives != ("score",) and "pruner" in search.model_fields_set and search.pruner != "none"


def _screening(workspace: Workspace) -> Screening | None:
    config, splits = workspace.experiment.config.search.screen, workspace.plan.splits
    if config is None:
        return None
    unknown = sorted(split for split in set(config.splits) if split >= splits)
    if unknown:
        raise ConfigError(f"search.screen: there is no split {unknown[0]}; the fold plan has {splits}, numbered from 0")
    return Screening(Screen(splits=config.splits, rows=config.rows, epochs=config.epochs), config.promote)
