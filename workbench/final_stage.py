"""The last days: the blend's members once more, on all rows, for as many epochs as their folds found best.

Each member is one fit of some seeds that its trial has not seen (`workbench.data.folds.all_rows_plan`). Weights are
those of the out-of-fold predictions: there are none of models that have seen every row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

from workbench.blending.result import BlendResult, MemberRef
from workbench.data.folds import FoldPlan, all_rows_plan
from workbench.delivery.refit import Refit, Refits
from workbench.errors import WorkbenchError
from workbench.execution.contract import RUNNER, Executor
from workbench.search.answers import answer_all
from workbench.search.keys import Ground
from workbench.search.progress import Observer
from workbench.search_stage import make_executor, ranged
from workbench.seeds import derive_seed
from workbench.store.ledger import Trial
from workbench.types import Failed, Finished, Job, Lost, WorkerEvent
from workbench.wording import counted
from workbench.workspace import Workspace

HUNG = 20.0, 600.0
"""A refit has hung that takes so many times what its trial took for as many splits, and at least so many seconds."""


def final_epochs(best_epochs: Sequence[int], plan: FoldPlan) -> int | None:
    """Return for how many epochs or rounds a model trains on all rows; ``None`` for one that has none.

    The median of the splits' best epochs, times k/(k-1) where the plan has k splits a repeat: so many more rows than
    a split's carry so much more training before they are overfitted. In time each split trains on all that is before
    its validated part, no fixed share of the rows, and a plan of one split has none either: there the median is taken
    as it is.
    """
    if not best_epochs:
        return None
    middle, splits = median(best_epochs), plan.splits // plan.repeats
    return math.ceil(middle if plan.kind == "time" or splits == 1 else middle * splits / (splits - 1))


def refit(workspace: Workspace, blends: Sequence[BlendResult], observer: Observer, runner: str = RUNNER) -> Refits:
    """Fit the members that count in blends on all rows, where ``ensemble.final`` asks for it; keep them in the vault.

    What the vault has is not trained again. A member that cannot be refitted is told of, and counts as it is: by its
    folds' models, or by the predictions that somebody gave.
    """
    config = workspace.experiment.config.ensemble.final
    if config is None:
        return Refits()
    finals = _Finals(workspace, config.seeds)
    members = [member for blended in blends for member in blended.members if member.weight > 0]
    jobs = {member.fit_key: job for member in members if (job := finals.job(member)) is not None}
    if missing := [job for job in jobs.values() if not finals.known(job)]:
        seeds = counted(config.seeds, "seed")
        observer.phase(f"refitting {counted(len(missing), 'member')} of the blend on all rows, {seeds} each")
        finals.train(missing, runner)
    refits = Refits(of={member.fit_key: finals.refit(member, jobs.get(member.fit_key)) for member in members})
    for failed in refits.failed:
        observer.notice(f"{failed.trial} is not refitted on all rows, it counts as it is: {failed.failure}")
    return refits


@dataclass
class _Finals:
    """Refits of a workspace's trials."""

    workspace: Workspace
    seeds: int
    failures: dict[str, str] = field(default_factory=dict)
    """Why a member has no refit, by the fit key of its trial."""

    # --- what is fitted ----------------------------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> FoldPlan:
        return all_rows_plan(self.workspace.plan.rows, self.seeds)

    @cached_property
    def _trials(self) -> dict[str, Trial]:
        """The workspace's complete trials by name."""
        return {trial.name: trial for trial in self.workspace.trials() if trial.result is not None}

    def job(self, member: MemberRef) -> Job | None:
        """Return the fit of a member on all rows; its id is the trial's fit key."""
        family = next((family for family in self.workspace.families if family.name == member.family), None)
        trial = self._trials.get(member.trial)
        if family is None or trial is None or trial.result is None:
            self.failures[member.fit_key] = "it is no trial of this experiment's own families"
            return None
        epochs = final_epochs(trial.result.best_epochs, self.workspace.plan)
        ground, job = self._ground(trial.epochs), self.workspace.job(family)
        known = {
            "job_id": member.fit_key,
            "plan": self._plan_file(job.plan),
            "settings": ground.settings,
            "seed": ground.seed,
            "values": trial.values,
            "epochs": epochs,
            "fit_key": ground.fit_key(family, trial.values, epochs),
            "batch_scale": trial.result.batch_scale,
            "checkpoint_s": self.workspace.experiment.config.training.checkpoint,
        }
        return job.model_copy(update=known)

    def _ground(self, limit: int | None) -> Ground:
        """Return what a refit stands on; ``limit`` are the epochs that the trial's engine let it have."""
        ground = self.workspace.ground
        most = {} if limit is None else {"epochs": min(ground.settings.epochs, limit)}
        settings = ground.settings.model_copy(update={"stopping": "none", **most})
        seed = derive_seed(ground.seed, "final")
        return ground.model_copy(update={"plan_key": self._plan.key, "settings": settings, "seed": seed})

    def _plan_file(self, beside: Path) -> Path:
        file = beside.with_name(f"plan-{self._plan.key}.npz")
        if not file.exists():
            self._plan.save(file)
        return file

    # --- fitting -----------------------------------------------------------------------------------------------------

    def known(self, job: Job) -> bool:
        """Say whether the vault has all of a refit; a test table that came later is predicted by a worker."""
        key, vault, test_key = job.result_key, self.workspace.vault, self.workspace.dataset.test_key
        return vault.has(key) and (not test_key or (vault.folder(key) / f"test-{test_key}.npy").is_file())

    def train(self, jobs: Sequence[Job], runner: str) -> None:
        """Fit on the configured executor; what fails is noted."""
        executor = make_executor(self.workspace, runner)
        try:
            ready = [found for job in jobs if (found := self._ranged(job, executor)) is not None]
            answer_all(executor, ready, self._take, seconds=self._limit)
        finally:
            executor.close()

    def _ranged(self, job: Job, executor: Executor) -> Job | None:
        """Return a job with the experiment's ranges of its factory's parameters, if there are some."""
        entry = next(e for e in self.workspace.experiment.config.family_configs if e.label == job.family.name)
        study = next(study for study in self.workspace.studies if study.family == job.family.name)
        if not entry.space or study.space is None:
            return job
        try:
            space = ranged(self.workspace, executor, job.family, study.space, entry.space)
        except WorkbenchError as error:  # such as a factory that cannot be built any more
            self.failures[job.job_id] = str(error)
            return None
        return job.model_copy(update={"space": space})

    def _limit(self, job: Job) -> float:
        factor, least = HUNG
        results = (trial.result for trial in self._trials.values())
        took = max(r.fit_s + r.predict_s for r in results if r is not None and r.fit_key == job.job_id)
        return max(least, factor * took * self.seeds / self.workspace.plan.splits)

    def _take(self, job: Job, event: WorkerEvent | None) -> None:
        if event is None:
            self.failures[job.job_id] = f"no end within {self._limit(job):.0f} s"
        elif isinstance(event, Failed):
            self.failures[job.job_id] = f"{event.failure.code}: {event.failure.message}"
        elif isinstance(event, Lost):
            self.failures[job.job_id] = event.message
        elif not isinstance(event, Finished):
            self.failures[job.job_id] = f"it was answered with '{event.event}'"

    def refit(self, member: MemberRef, job: Job | None) -> Refit:
        why = self.failures.get(member.fit_key, "")
        if job is None or why:
            return Refit(trial=member.trial, failure=why)
        return Refit(trial=member.trial, fit_key=job.result_key, seeds=self.seeds, epochs=job.epochs)
