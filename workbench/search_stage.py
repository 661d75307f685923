"""The search part of a sweep: every family's open trials, on one executor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workbench import registry
from workbench.errors import ConfigError
from workbench.execution.contract import RUNNER, Executor, ExecutorOptions
from workbench.search.describe import describe
from workbench.search.driver import Driver
from workbench.search.engine import EngineOptions
from workbench.search.lane import FAILURES_ALLOWED, Lane
from workbench.search.progress import Observer
from workbench.seeds import derive_seed
from workbench.store.ledger import TERMINAL, Study, Trial
from workbench.types import FamilyRef, Space
from workbench.workspace import Workspace


@dataclass(frozen=True)
class Budget:
    """How many trials each study may have in all, and until when."""

    totals: dict[str, int]
    """By family."""
    deadline: float | None = None
    """Moment of ``time.monotonic()`` at which the search ends."""
    forgiving: bool = False
    """Whether families that failed three times in a row are tried again."""


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
    own = {entry.label: entry.trials for entry in config.family_configs}
    totals = {}
    for study in workspace.studies:
        planned = trials or own[study.family] or config.search.trials
        totals[study.family] = workspace.ledger.searched(study.id) + more if more else planned
    return Budget(totals, deadline, forgiving=more > 0)


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
    return any(trial.state == "queued" for trial in trials) or len(trials) < total


def _failing(trials: list[Trial]) -> bool:
    ended = [trial.state for trial in trials if trial.state in TERMINAL][-FAILURES_ALLOWED:]
    return ended == ["failed"] * FAILURES_ALLOWED


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
        observer, ledger = self.observer, self.workspace.ledger
        for lane in self.lanes:
            if not lane.open:
                observer.notice(
                    f"{lane.name}: its last trials failed; when the cause is mended, try again with --more N"
                )
        observer.phase("searching")
        Driver(ledger, self.executor, sweep, self.lanes, observer, self.deadline).run()
        self.executor.close()
        untried = [lane.name for lane in self.lanes if lane.open and lane.done == 0]
        if untried:
            observer.notice(f"no trial of {', '.join(untried)} has ended: there was no time")
        elsewhere = sum(ledger.counts(study.id).get("running", 0) for study in self.workspace.studies)
        if elsewhere:
            observer.notice(f"another run is at work on {elsewhere} trials; they are not in this delivery")


@contextmanager
def open_search(workspace: Workspace, budget: Budget, observer: Observer, runner: str = RUNNER) -> Iterator[Search]:
    """Describe the families that are new; nothing of the executor outlives the block.

    Raises:
        FactoryError: a factory or a feature set cannot be used; nothing was searched yet.
    """
    executor = make_executor(workspace, runner)
    try:
        known = zip(workspace.families, workspace.studies, strict=True)
        spaces = [s.space or described(workspace, executor, family, s, observer) for family, s in known]
        lanes = [
            _lane(workspace, *lane, budget) for lane in zip(workspace.families, workspace.studies, spaces, strict=True)
        ]
        yield Search(workspace, executor, lanes, observer, budget.deadline)
    finally:
        executor.close()


def make_executor(workspace: Workspace, runner: str) -> Executor:
    """Return the configured executor; who asks for it closes it."""
    training = workspace.experiment.config.training
    options = ExecutorOptions(runner=runner, backend=training.backend, logs=workspace.experiment.store / "logs")
    executor: Executor = registry.resolve("executors", training.executor)(options)
    return executor


def described(workspace: Workspace, executor: Executor, family: FamilyRef, study: Study, observer: Observer) -> Space:
    """Have a family described in a worker, keep its space with the study, and return it.

    Raises:
        FactoryError: the factory cannot be used.
    """
    observer.phase(f"describing {family.name}")
    job = workspace.job(family).model_copy(update={"kind": "describe", "job_id": f"describe {family.name}"})
    description = describe(executor, job)
    for notice in description.notices:
        observer.notice(f"{family.name}: {notice}")
    workspace.ledger.set_space(study.id, description.space)
    return description.space


def _lane(workspace: Workspace, family: FamilyRef, study: Study, space: Space, budget: Budget) -> Lane:
    config = workspace.experiment.config
    seed = derive_seed(workspace.ground.seed, family.name, "engine")
    options = EngineOptions(workspace.metric.direction, seed, config.search.startup)
    lane = Lane(
        study=study,
        space=space,
        engine=registry.resolve("engines", config.search.engine)(options),
        ground=workspace.ground,
        template=workspace.job(family),
        total=budget.totals[family.name],
        direction=workspace.metric.direction,
    )
    lane.restore(workspace.ledger.trials(study.id), forgive=budget.forgiving)
    return lane
