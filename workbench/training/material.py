"""What a job trains on: dataset, fold plan and the table as each fold's preparation gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import registry
from workbench.data import preparation
from workbench.data.dataset import Dataset
from workbench.data.feature_table import FeatureSplit, FeatureTable, open_feature_table
from workbench.data.folds import FoldPlan
from workbench.data.target import TargetTransform, target_kind
from workbench.errors import FactoryError, TrialFailed
from workbench.metrics import Metric, load_metric, monitored
from workbench.models.identity import confirm_code
from workbench.models.problem import Problem
from workbench.seeds import derive_seed
from workbench.training.build import seeded
from workbench.training.cache import LruCache
from workbench.training.prepared_files import FORMAT, LEAST_BYTES, PreparedFiles
from workbench.training.prepared_room import PREFIX
from workbench.training.prepared_split import PreparedSplit, assembled, read_only
from workbench.training.row_parts import inner_split, share_of
from workbench.types import Job, Schema, TrainingSettings, fingerprint

CACHE_BYTES = 2**30

_datasets: LruCache[Dataset] = LruCache(limit=2, size=lambda _: 1)
_feature_tables: LruCache[FeatureTable] = LruCache(limit=CACHE_BYTES, size=lambda table: table.size)
_prepared: LruCache[PreparedSplit] = LruCache(limit=CACHE_BYTES, size=lambda split: split.size)


@dataclass(frozen=True)
class Split:
    """One split, ready for training. Indices are row positions of the whole table; arrays are of the whole table."""

    index: int
    seed: int
    prepared: PreparedSplit
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    target: TargetTransform
    train: NDArray[np.intp]
    watch: NDArray[np.intp]
    """Rows that early stopping looks at: the validation rows, an inner part of the training fold, or none."""
    validate: NDArray[np.intp]

    @property
    def cells(self) -> int:
        """Size of the training part: rows x columns."""
        table = self.prepared.table
        return len(self.train) * int(table.numeric.shape[1] + table.categorical.shape[1])

    def weights(self, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
        """Return the weights of some rows."""
        return None if self.weight is None else self.weight[rows]


@dataclass(frozen=True)
class Material:
    """A job's data and what follows from it."""

    job: Job
    dataset: Dataset
    plan: FoldPlan
    metric: Metric

    @cached_property
    def monitor(self) -> Metric:
        """The metric that early stopping looks at."""
        return monitored(self.metric)

    @cached_property
    def features(self) -> FeatureTable | None:
        """The table of the family's feature set; ``None`` where it takes the data set as it is.

        Raises:
            FactoryError: the feature set cannot be used on this table, or its code is not that of the job.
        """
        ref, dataset = self.job.family.features, self.dataset
        if ref is None:
            return None
        seed, cache = self.seed(0, "features"), self.job.dataset.resolve().parent
        confirm = partial(confirm_code, f"feature set '{ref.name}'", ref.reference, ref.root, ref.code)
        confirm()

        def opened() -> FeatureTable:
            table = open_feature_table(dataset, ref, cache, seed=seed, confirm=confirm)
            confirm()
            return table

        with seeded(seed):
            return _feature_tables.get((dataset.key, dataset.test_key, ref.code, seed), opened)

    @property
    def schema(self) -> Schema:
        """The columns that preparation and factory see."""
        return self.dataset.schema if self.features is None else self.features.derivation.schema

    @cached_property
    def problem(self) -> Problem:
        """What the factory is told."""
        schema = self.schema
        inputs = self._preparation().inputs
        return Problem(schema.task, self.metric.name, tuple(schema.classes), inputs, len(self.dataset.y))

    def seed(self, split: int, purpose: str) -> int:
        """Return a seed of one split: never of the trial, so that equal configurations give equal results."""
        return derive_seed(self.job.seed, self.plan.repeat(split), split, purpose)

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """The splits to evaluate, in plan order: all of them, or those of the job's screening.

        Raises:
            FactoryError: the screening names splits that the plan does not have.
        """
        plan, screen = range(self.plan.splits), self.job.screen
        if screen is None:
            return tuple(plan)
        unknown = sorted(set(screen.splits) - set(plan))
        if unknown or not screen.splits:
            raise FactoryError(
                f"the screening's splits are {list(screen.splits)}, but the fold plan has {len(plan)}: numbers from 0 "
                f"to {len(plan) - 1}, at least one of them"
            )
        return tuple(sorted(set(screen.splits)))

    @cached_property
    def fit_key(self) -> str:
        """What the result is known by."""
        return self.job.result_key

    @property
    def settings(self) -> TrainingSettings:
        """The job's settings, with the most epochs and rounds that an engine or a screening leaves.

        Without a watcher the job's number counts, be it more than the settings have.
        """
        job, settings = self.job, self.job.settings
        if settings.stopping == "none" and job.epochs is not None:
            return settings.model_copy(update={"epochs": job.epochs, "rounds": job.epochs})
        asked = [job.epochs, None if job.screen is None else job.screen.epochs]
        most = [limit for limit in asked if limit is not None]
        fewer = {"epochs": min(settings.epochs, *most), "rounds": min(settings.rounds, *most)} if most else {}
        return settings.model_copy(update=fewer)

    def splits(self, *, neural: bool) -> Iterator[Split]:
        """Yield the splits to evaluate, in plan order."""
        for index in self.indices:
            yield self.split(index, neural=neural)

    def split(self, index: int, *, neural: bool) -> Split:
        """Return one split, ready for training."""
        kind = target_kind(self.problem.task, self.metric.name, neural=neural)
        y, (train, watch) = self.dataset.y, self._trained(index)
        return Split(
            index,
            self.seed(index, "fit"),
            self.prepared(index),
            y,
            self.dataset.weight,
            TargetTransform.fit(kind, y[train]),
            train,
            watch,
            self.plan.validate(index),
        )

    def training_rows(self) -> list[int]:
        """Return how many rows each split trains on, without those that are only watched."""
        return [len(self._trained(index)[0]) for index in self.indices]

    def prepared(self, index: int) -> PreparedSplit:
        """Return the table as the split's preparation gives it; kept between jobs."""
        files = self._files

        def opened() -> PreparedSplit:
            return self._prepare(index) if files is None else files.get(index, lambda: self._prepare(index))

        found = _prepared.get((*self._prepared_by, index), opened)
        if files is not None and found.mapped:
            files.touch()
        return found

    @cached_property
    def _prepared_by(self) -> tuple[str | int, ...]:
        """Everything that decides what prepared splits hold."""
        family, job = self.job.family, self.job
        code = family.features.code if family.features else ""
        data = (self.dataset.key, self.dataset.test_key, self.plan.key)
        return (*data, family.preparation, code, job.settings.stopping, job.seed)

    @cached_property
    def _files(self) -> PreparedFiles | None:
        """Where prepared splits lie for all workers.

        ``None`` for a feature set whose transformers are fitted in the fold, as their state is no JSON, for a
        preparation of a plug-in, of whose code nothing is known, and for a table too small to be worth it.
        """
        name, chain = self.job.family.preparation, None if self.features is None else self.features.derivation.chain
        if name not in registry.BUILT_INS["preparations"] or (chain and chain.row_steps < len(chain.steps)):
            return None
        schema = self.schema
        key = fingerprint(FORMAT, preparation.VERSION, *self._prepared_by, schema.model_dump(mode="json"))
        files = PreparedFiles(
            self.job.dataset.resolve().parent / f"{PREFIX}{key}",
            name,
            schema,
            self._preparation().inputs,
            self.plan.rows,
            self.dataset.test_rows,
            len(chain.steps) if chain else 0,
        )
        return files if files.size >= LEAST_BYTES else None

    def _trained(self, index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows that a model is fitted on, a share of them in a screening, and those that it watches.

        The preparation is fitted on all of a split's training rows in any case, so that a screening needs none of its
        own.
        """
        train, watch = self._parted(index)
        share = 1.0 if self.job.screen is None else self.job.screen.rows
        if share >= 1.0:
            return train, watch
        stratify = self.problem.task != "regression"
        return share_of(train, self.dataset.y, share, stratify, self.seed(index, "screen")), watch

    def _parted(self, index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows that a whole fit trains a split on, and those that it watches."""
        train, stopping = self.plan.train(index), self.job.settings.stopping
        if stopping != "inner":
            return train, self.plan.validate(index) if stopping == "fold" else np.zeros(0, dtype=np.intp)
        stratify, group = self.problem.task != "regression", self.dataset.group
        own, weight = train[train < self.dataset.own_rows], self.dataset.weight
        counting = own if weight is None else own[weight[own] > 0.0]  # a score of rows without weight is none
        kept, watch = inner_split(counting, self.dataset.y, stratify, self.seed(index, "inner"), group)
        rest = np.setdiff1d(train, counting, assume_unique=True)
        if group is not None:  # extra rows are never watched, nor trained on where their group is
            rest = rest[~np.isin(group[rest], group[watch])]
        return np.union1d(kept, rest), watch

    def _preparation(self) -> Any:
        return registry.resolve("preparations", self.job.family.preparation)(self.schema)

    def _prepare(self, index: int) -> PreparedSplit:
        train, _ = self._parted(index)
        rest = np.setdiff1d(np.arange(self.plan.rows), train, assume_unique=True)
        fitted, rows = self._preparation(), self._rows(index, train, rest)
        parts = [(train, fitted.fit_transform(rows.train, self.dataset.y[train]))]
        parts.append((rest, fitted.transform(rows.rest)))
        test = None if rows.test is None else read_only(fitted.transform(rows.test))
        return PreparedSplit(fitted, read_only(assembled(parts, self.plan.rows)), test, rows.fitted)

    def _rows(self, index: int, train: NDArray[np.intp], rest: NDArray[np.intp]) -> FeatureSplit:
        """Return the rows as the preparation takes them, after the family's feature set if there is one."""
        if self.features is not None:
            with seeded(self.seed(index, "features")):
                return self.features.split(train, rest)
        table = self.dataset.features
        return FeatureSplit((), table.iloc[train], table.iloc[rest], self.dataset.test)


def forget() -> None:
    """Let go of the tables that are kept between jobs."""
    for cache in (_datasets, _feature_tables, _prepared):
        cache.clear()


def open_material(job: Job) -> Material:
    """Open a job's dataset and plan; datasets stay open between jobs."""
    path = job.dataset.resolve()
    dataset = _datasets.get(path, lambda: Dataset.open(path))
    plan = FoldPlan.open(job.plan)
    if plan.rows != len(dataset.y):
        raise TrialFailed("internal", f"the plan {job.plan} is of {plan.rows} rows, the table has {len(dataset.y)}")
    return Material(job, dataset, plan, load_metric(job.metric))
