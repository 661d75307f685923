"""What an experiment stands on, read and checked: its data, its fold plan, its ledger and its vault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.data.building import load_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan, make_plan
from workbench.data.raw_matrix import RawMatrix
from workbench.ensembles.members import Candidate
from workbench.execution.contract import RUNNER, ExecutorOptions
from workbench.experiment import Experiment
from workbench.metrics import Metric, load_metric
from workbench.search.keys import Ground
from workbench.store.ledger import Ledger, Study, Trial
from workbench.store.vault import Vault
from workbench.types import BASE_FAMILY, FamilyRef, Job

AUTHOR = "author"
"""A part of the ground of what others gave: their name, which the ground of a family of one's own does not have."""


def guest_ground(ground: Ground) -> dict[str, object]:
    """Return what trials must share to be blended, whoever ran them, under the names of `Ground.parts`."""
    metric = ground.metric.model_dump(mode="json", exclude={"root"})
    return {"training data": ground.data_key, "folds": ground.plan_key, "metric": metric}


@dataclass(frozen=True)
class Workspace:
    """An experiment with its data and its store open."""

    experiment: Experiment
    metric: Metric
    dataset: Dataset
    plan: FoldPlan
    ledger: Ledger
    families: tuple[FamilyRef, ...]

    @cached_property
    def vault(self) -> Vault:
        """Where fits are kept."""
        return Vault(self.experiment.store / "vault")

    @cached_property
    def raw_matrix(self) -> RawMatrix:
        """The table's columns as numbers, for stacks that look at them."""
        return RawMatrix.fit(self.dataset.schema, self.dataset.features)

    @cached_property
    def ground(self) -> Ground:
        """What every key of this experiment begins with."""
        experiment = self.experiment
        return Ground(
            data_key=self.dataset.key,
            plan_key=self.plan.key,
            metric=experiment.metric_ref(),
            settings=experiment.settings(),
            seed=experiment.config.seed,
            holdout=self.dataset.holdout_key,
        )

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """The study of each family, in the families' order; made where there is none."""
        name = self.experiment.name
        return tuple(
            self.ledger.open_study(self.ground.study_key(name, family), name, family.name, self.ground.parts(family))
            for family in self.families
        )

    @property
    def guests(self) -> tuple[Study, ...]:
        """The studies of trials that team members gave (`workbench merge`) on the data, folds and metric of now.

        They are no families of the experiment: no engine learns from them, and no budget counts them.
        """
        ours = guest_ground(self.ground)
        found = self.ledger.studies(self.experiment.name)
        theirs = [study for study in found if AUTHOR in study.ground and ours.items() <= study.ground.items()]
        return tuple(sorted(theirs, key=lambda study: study.family))

    def trials(self) -> list[Trial]:
        """Return every trial of this experiment's studies, by family and number, then those that others gave."""
        return [trial for study in (*self.studies, *self.guests) for trial in self.ledger.trials(study.id)]

    def job(self, family: FamilyRef) -> Job:
        """Return a fit job of a family, without values; the data is written where workers find it."""
        cache = self.experiment.store / "cache"
        dataset = cache / f"dataset-{self.dataset.key}-{self.dataset.test_key or 'none'}"
        plan = cache / f"plan-{self.plan.key}.npz"
        self.dataset.save(dataset)
        if not plan.exists():
            self.plan.save(plan)
        return Job(
            kind="fit",
            job_id="",
            dataset=dataset,
            plan=plan,
            family=family,
            metric=self.ground.metric,
            settings=self.ground.settings,
            seed=self.ground.seed,
            vault=self.vault.root,
        )

    def executor_options(self, runner: str = RUNNER) -> ExecutorOptions:
        """Return what the configured executor is made from."""
        training = self.experiment.config.training
        return ExecutorOptions(
            runner=runner,
            backend=training.backend,
            logs=self.experiment.store / "logs",
            workers=None if training.workers == "auto" else training.workers,
            workers_per_gpu=training.workers_per_gpu,
            worker_memory=training.worker_memory,
            programs=self.experiment.store / "programs",
            deterministic=training.deterministic,
        )

    def candidates(self, per_family: int | None, *, unbundled: bool = False) -> list[Candidate]:
        """Return the best complete trials of each family, or all; the base family only where there is nothing else.

        What others gave counts as families of its own. Trials without models cannot be exported: others' that came
        without, and one's own whose models were not kept, unless members are refitted (``ensemble.final``). They are
        among them where ``unbundled`` says so; others' if they bring predictions of the test table, where there is one.
        What others gave for another test table is not among them then: nothing could predict such a blend.
        """
        refitted = self.experiment.config.ensemble.final is not None
        mine: Callable[[str], bool] = (lambda _: True) if unbundled or refitted else self.bundled
        theirs = self._tested if unbundled and self._some_alone() else self.bundled
        own = [study for study in self.studies if study.family != BASE_FAMILY]
        chosen = [candidate for study in own for candidate in self._best(study, per_family, mine)]
        chosen += [candidate for study in self.guests for candidate in self._best(study, per_family, theirs)]
        return chosen or [c for study in self.studies for c in self._best(study, per_family, mine)]

    def lent(self, count: int) -> tuple[list[str], list[str]]:
        """Return the fit keys of what others gave that predicts the test table, and of a family's best with models.

        Both can change without a new trial, as where a pack is merged again with models, or predictions take the place
        of others.

        Args:
            count: so many of each family are looked at for models: those beyond may lose them in a delivery.
        """
        trials = [trial for study in self.guests for trial in self.ledger.trials(study.id)]
        keys = [trial.result.fit_key for trial in trials if trial.result is not None]
        best = [candidate.fit_key for study in self.guests for candidate in self._best(study, count)]
        return [key for key in keys if self._tested(key)], [key for key in best if self.bundled(key)]

    def bundled(self, fit_key: str) -> bool:
        """Say whether the vault has the models of every split of a fit, so that it can predict any rows."""
        folder = self.vault.folder(fit_key)
        return all((folder / f"split{split}" / "bundle.json").is_file() for split in range(self.plan.splits))

    def _some_alone(self) -> bool:
        """Say whether there are predictions of others that can be submitted, and whose models did not come."""
        results = [trial.result for study in self.guests for trial in self.ledger.trials(study.id)]
        keys = [result.fit_key for result in results if result is not None]
        return any(self._tested(key) and not self.bundled(key) for key in keys)

    def _tested(self, fit_key: str) -> bool:
        test_key = self.dataset.test_key
        return not test_key or self.vault.has_test(fit_key, test_key)

    def _best(self, study: Study, count: int | None, usable: Callable[[str], bool] = lambda _: True) -> list[Candidate]:
        complete = [t for t in self.ledger.trials(study.id) if t.result is not None and np.isfinite(t.result.score)]
        found: dict[str, Candidate] = {}
        for trial in sorted(complete, key=lambda t: (self.metric.loss(t.result.score if t.result else 0.0), t.number)):
            result = trial.result
            if result is not None and self.vault.has(result.fit_key) and usable(result.fit_key):
                candidate = Candidate(
                    family=trial.family,
                    number=trial.number,
                    fit_key=result.fit_key,
                    plan_key=self.plan.key,
                    score=result.score,
                    score_se=result.score_se,
                    values=result.values,
                )
                found.setdefault(result.fit_key, candidate)
            if len(found) == count:
                break
        return list(found.values())


@contextmanager
def open_workspace(experiment: Experiment) -> Iterator[Workspace]:
    """Read and check everything that can be wrong before anything is searched.

    Raises:
        UserError: the data, the metric or a factory's reference cannot be used.
        StoreError: the ledger cannot be opened.
    """
    config = experiment.config
    ref = experiment.metric_ref()
    metric = load_metric(ref)
    families = experiment.family_refs()
    dataset = load_dataset(config, experiment.root, ref.needs)
    _try_metric(metric, dataset)
    plan = make_plan(dataset, config.folds, config.seed, root=experiment.folds_root, encoding=config.data.encoding)
    ledger = Ledger.open(experiment.ledger_url)
    try:
        yield Workspace(experiment, metric, dataset, plan, ledger, families)
    finally:
        ledger.close()


def _try_metric(metric: Metric, dataset: Dataset) -> None:
    """Call the metric once, with predictions that know nothing: an error of the user's is told at once."""
    outputs = dataset.schema.outputs
    constant = float(np.mean(dataset.y)) if dataset.schema.task == "regression" else 1.0 / max(2, outputs)
    metric(dataset.y, np.full((dataset.rows, outputs), constant), dataset.weight)
    if dataset.holdout_y is not None:
        metric(dataset.holdout_y, np.full((dataset.holdout_rows, outputs), constant), dataset.holdout_weight)
