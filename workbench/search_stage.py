"""The search part of a sweep: every family's open trials, on one executor."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import registry
from workbench.execution.contract import RUNNER, Executor, ExecutorOptions
from workbench.search.describe import describe
from workbench.search.driver import Driver
from workbench.search.engine import EngineOptions
from workbench.search.lane import Lane
from workbench.search.progress import Observer
from workbench.seeds import derive_seed
from workbench.store.ledger import Study
from workbench.types import FamilyRef, Space
from workbench.workspace import Workspace


@dataclass(frozen=True)
class Budget:
    """How many trials a study may have in all; one of ``trials`` and ``more`` may override the configuration."""

    trials: int | None = None
    """For every family, instead of the configuration's."""
    more: int = 0
    """Beyond those that each study has."""
    deadline: float | None = None
    """Moment of ``time.monotonic()`` at which the search ends."""


def has_work(workspace: Workspace, budget: Budget) -> bool:
    """Say whether any family has trials left, without starting anything."""
    pairs = zip(workspace.families, workspace.studies, strict=True)
    lanes = [_lane(workspace, family, study, study.space, budget) if study.space else None for family, study in pairs]
    return any(lane is None or (lane.open and lane.done < lane.total) for lane in lanes)


def search(workspace: Workspace, sweep: int, budget: Budget, observer: Observer, runner: str = RUNNER) -> None:
    """Describe the families that are new, then run trials until the budget is used up.

    Raises:
        FactoryError: a factory cannot be used; nothing was searched yet.
    """
    executor = _executor(workspace, runner)
    try:
        lanes = [
            _lane(
                workspace,
                family,
                study,
                study.space or _described(workspace, executor, family, study, observer),
                budget,
            )
            for family, study in zip(workspace.families, workspace.studies, strict=True)
        ]
        observer.phase("searching")
        Driver(workspace.ledger, executor, sweep, lanes, observer, budget.deadline).run()
    finally:
        executor.close()


def _executor(workspace: Workspace, runner: str) -> Executor:
    training = workspace.experiment.config.training
    options = ExecutorOptions(runner=runner, backend=training.backend, logs=workspace.experiment.store / "logs")
    executor: Executor = registry.resolve("executors", training.executor)(options)
    return executor


def _described(workspace: Workspace, executor: Executor, family: FamilyRef, study: Study, observer: Observer) -> Space:
    observer.phase(f"describing {family.name}")
    job = workspace.job(family).model_copy(update={"kind": "describe", "job_id": f"describe {family.name}"})
    space = describe(executor, job).space
    workspace.ledger.set_space(study.id, space)
    return space


def _lane(workspace: Workspace, family: FamilyRef, study: Study, space: Space, budget: Budget) -> Lane:
    config = workspace.experiment.config
    trials = workspace.ledger.trials(study.id)
    own = {entry.name: entry.trials for entry in config.family_configs}
    total = budget.trials or own[family.name] or config.search.trials
    seed = derive_seed(workspace.ground.seed, family.name, "engine")
    options = EngineOptions(workspace.metric.direction, seed, config.search.startup)
    lane = Lane(
        study=study,
        space=space,
        engine=registry.resolve("engines", config.search.engine)(options),
        ground=workspace.ground,
        template=workspace.job(family),
        total=len(trials) + budget.more if budget.more else total,
        direction=workspace.metric.direction,
    )
    lane.restore(trials)
    return lane
