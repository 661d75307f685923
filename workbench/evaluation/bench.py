"""Evaluating single configurations as trials: found where the ledger has them, else run like a sweep's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from workbench.config.models import RangeConfig
from workbench.data.folds import FoldPlan
from workbench.errors import FactoryError, TrialFailed
from workbench.execution.contract import RUNNER, Executor
from workbench.search.driver import Driver
from workbench.search.engine import Given
from workbench.search.keys import Ground
from workbench.search.lane import TriedLane
from workbench.search.progress import Observer
from workbench.search_stage import described, make_executor, ranged
from workbench.store.ledger import Study, Trial
from workbench.tracking.naming import without_features
from workbench.types import FamilyRef, Job, Space, TrialResult, Values, trial_name
from workbench.workspace import Workspace

THE_USERS = ("factory", "shape", "nonfinite", "oom")
"""Failures whose cause is the configuration or the factory."""


@dataclass(frozen=True)
class Configuration:
    """One configuration of a family, on a ground of its own where its seed is another one."""

    family: FamilyRef
    values: Values
    ground: Ground
    plan: FoldPlan | None = None
    """Where it is not the experiment's."""

    @property
    def fit_key(self) -> str:
        """The key of its fit: equal configurations have equal keys."""
        return self.ground.fit_key(self.family, self.values)

    def with_seed(self, seed: int, name: str) -> Configuration:
        """Return the same configuration under another training seed, as a family of another name."""
        family = self.family.model_copy(update={"name": name})
        return Configuration(family, self.values, self.ground.model_copy(update={"seed": seed}))


@dataclass
class Bench:
    """A workspace, and a worker from the moment that one is needed."""

    workspace: Workspace
    observer: Observer
    runner: str = RUNNER
    _spaces: dict[str, Space] = field(default_factory=dict)

    @cached_property
    def executor(self) -> Executor:
        """The executor, started now if nothing needed it before."""
        return make_executor(self.workspace, self.runner)

    def close(self) -> None:
        """Close the executor if there is one."""
        if "executor" in self.__dict__:
            self.executor.close()

    def study(self, family: FamilyRef, ground: Ground | None = None) -> Study:
        """Return a family's study, made if it is new."""
        name, on = self.workspace.experiment.name, ground or self.workspace.ground
        return self.workspace.ledger.open_study(on.study_key(name, family), name, family.name, on.parts(family))

    def space(self, family: FamilyRef) -> Space:
        """Return a family's space, with the experiment's ranges; one that is new is described first.

        Raises:
            ConfigError: a range of the experiment's does not fit.
            FactoryError: the factory cannot be used.
        """
        study = self.study(family)
        if family.name not in self._spaces:
            workspace = self.workspace
            space = study.space or described(workspace, self.executor, family, study, self.observer)
            if ranges := self._ranges(family.name):
                space = ranged(workspace, self.executor, family, space, ranges)
            self._spaces[family.name] = space
        return self._spaces[family.name]

    def _ranges(self, label: str) -> Mapping[str, RangeConfig]:
        """Return the ranges that the experiment gives a family, on whichever feature set it is tried."""
        entries, name = self.workspace.experiment.config.family_configs, without_features(label)
        found = [entry for entry in entries if entry.label == label] or [e for e in entries if e.name == name]
        return found[0].space if found else {}

    def _job(self, configuration: Configuration) -> Job:
        """Return a fit of a configuration that lacks its values; the factory has the experiment's ranges in it."""
        family = configuration.family
        label = family.name.partition("~")[0]  # mlp~seed1 is mlp
        space = self.space(family.model_copy(update={"name": label})) if self._ranges(label) else None
        plan = configuration.plan
        workspace = self.workspace if plan is None else replace(self.workspace, plan=plan)
        return workspace.job(family).model_copy(update={"seed": configuration.ground.seed, "space": space})

    def known(self, configuration: Configuration) -> Trial | None:
        """Return the first complete trial of a configuration, if the ledger has one.

        One whose fit was damaged is not known: it is trained anew, and both trials can be blended then.
        """
        if self.workspace.vault.lost(configuration.fit_key):
            return None
        study = self.study(configuration.family, configuration.ground)
        for trial in self.workspace.ledger.trials(study.id):
            if trial.result is not None and trial.result.fit_key == configuration.fit_key:
                return trial
        return None

    def run(self, configuration: Configuration, sweep: int, note: str) -> Trial:
        """Evaluate a configuration as a new trial.

        Raises:
            FactoryError: the configuration cannot be trained.
            TrialFailed: it failed for another reason.
        """
        self.run_all([(configuration, note)], sweep)
        if (found := self.known(configuration)) is None:
            raise self._failure(self.study(configuration.family, configuration.ground))
        return found

    def run_all(self, configurations: Sequence[tuple[Configuration, str]], sweep: int) -> None:
        """Evaluate configurations, each with a note, side by side as new trials; the ledger knows which failed."""
        lanes = [self._lane(configuration, note) for configuration, note in configurations]
        store = self.workspace.experiment.store
        Driver(self.workspace.ledger, self.executor, sweep, list(lanes), self.observer, store=store).run()

    def _lane(self, configuration: Configuration, note: str) -> TriedLane:
        study = self.study(configuration.family, configuration.ground)
        return TriedLane(
            study=study,
            space=study.space or Space(),
            engine=Given(configuration.values),
            ground=configuration.ground,
            template=self._job(configuration),
            total=1,
            direction=self.workspace.metric.direction,
            trial_seconds=self.workspace.experiment.config.search.trial_time,
            note=note,
        )

    def _failure(self, study: Study) -> FactoryError | TrialFailed:
        failed = [trial for trial in self.workspace.ledger.trials(study.id) if trial.failure and trial.origin == "try"]
        if not failed or (failure := failed[-1].failure) is None:
            return TrialFailed("lost", f"{study.family}: the trial was taken over by another process; try again")
        message = f"{trial_name(study.family, failed[-1].number)} failed ({failure.code}): {failure.message}"
        return FactoryError(message) if failure.code in THE_USERS else TrialFailed(failure.code, message)


def result_of(trial: Trial) -> TrialResult:
    """Return the result of a complete trial."""
    if trial.result is None:
        raise ValueError(f"{trial.name} is {trial.state}, not complete")
    return trial.result


@contextlib.contextmanager
def open_bench(workspace: Workspace, observer: Observer, runner: str) -> Iterator[Bench]:
    """Yield a bench, and close its executor."""
    bench = Bench(workspace, observer, runner)
    try:
        yield bench
    finally:
        bench.close()
