"""Fold plans: splits by rows, each {unused, train, validate}, made once, hashed, and shared by every model."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import FoldsConfig
from workbench.data import fold_checks
from workbench.data.dataset import Dataset
from workbench.data.given_folds import (
    TRAIN,
    UNREADABLE,
    UNUSED,
    VALIDATE,
    Parts,
    folds_of_codes,
    folds_of_file,
    folds_of_function,
)
from workbench.data.random_folds import kept_in_training, random_folds, rare_notice
from workbench.data.time_folds import time_folds
from workbench.errors import DataError
from workbench.seeds import derive_seed
from workbench.types import fingerprint

__all__ = ["TRAIN", "UNUSED", "VALIDATE", "FoldPlan", "all_rows_plan", "automatic_kind", "make_plan"]

Array = NDArray[Any]
Index = NDArray[np.intp]
Given = TypeVar("Given")
RANDOM = ("kfold", "stratified", "group")


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """Which rows each split trains on and validates.

    ``assignment`` is int8 of shape ``(splits, rows)``; the splits of one repeat follow each other. ``key`` is the
    fingerprint of the assignment: predictions made under different keys are never averaged.
    """

    assignment: NDArray[np.int8]
    kind: str
    repeats: int = 1
    notices: tuple[str, ...] = ()
    """What a person should know of it; not saved."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Freeze the assignment and take its key."""
        frozen = np.array(self.assignment, dtype=np.int8, order="C")
        frozen.setflags(write=False)
        if frozen.ndim != 2 or frozen.size == 0 or not np.isin(frozen, (UNUSED, TRAIN, VALIDATE)).all():
            raise DataError(f"a fold plan is (splits, rows) of 0, 1 and 2, got an array of shape {frozen.shape}")
        if self.repeats < 1 or len(frozen) % self.repeats:
            raise DataError(f"{len(frozen)} splits cannot be {self.repeats} equal repeats")
        object.__setattr__(self, "assignment", frozen)
        digest = hashlib.sha256(frozen.tobytes()).hexdigest()
        object.__setattr__(self, "key", fingerprint("plan", frozen.shape, self.repeats, digest))

    @property
    def splits(self) -> int:
        """How many splits there are, all repeats together."""
        return int(self.assignment.shape[0])

    @property
    def rows(self) -> int:
        """Rows of the training table."""
        return int(self.assignment.shape[1])

    def train(self, split: int) -> Index:
        """Return the positions of the rows that ``split`` trains on, ascending."""
        return np.flatnonzero(self.assignment[split] == TRAIN)

    def validate(self, split: int) -> Index:
        """Return the positions of the rows that ``split`` validates, ascending."""
        return np.flatnonzero(self.assignment[split] == VALIDATE)

    def repeat(self, split: int) -> int:
        """Return the repeat, from 0, that ``split`` belongs to."""
        return split // (self.splits // self.repeats)

    def save(self, file: Path) -> None:
        """Write the plan as npz, all or nothing."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}-{os.getpid()}")
        with temporary.open("wb") as stream:
            np.savez_compressed(
                stream, assignment=self.assignment, kind=np.array(self.kind), repeats=np.array(self.repeats)
            )
        temporary.replace(file)

    @classmethod
    def open(cls, file: Path) -> FoldPlan:
        """Read what `save` wrote.

        Raises:
            DataError: the file is absent or no plan.
        """
        try:
            with file.open("rb") as stream:  # NumPy leaves a broken file open
                stored = np.load(stream, allow_pickle=False)
                return cls(stored["assignment"], str(stored["kind"]), int(stored["repeats"]))
        except (*UNREADABLE, KeyError) as error:
            raise DataError(f"{file} is no fold plan: {error}; remove it to have it made again") from error


def make_plan(
    dataset: Dataset, config: FoldsConfig, seed: int, *, root: Path | None = None, encoding: str = "utf-8"
) -> FoldPlan:
    """Split the rows of a data set.

    ``auto`` is what another key asks for (column, function, file), else time with a time column, group with a group
    column, stratified for classes, else kfold. Every repeat of the last three validates each row once and is shuffled
    by its own seed, which follows from ``folds.seed``, or else from ``seed``; with classes, groups are spread so that
    the folds' class shares are alike. Extra rows are trained on in every split, but for those whose group is validated
    and, in time, those that are not before the validated part. A function is looked for in the folder ``root``, to
    which a file's path is relative too; ``encoding`` is that of text files.

    Raises:
        DataError: the table cannot be split as asked; see `workbench.data.fold_checks`.
        FactoryError: the user's function gives no plan.
    """
    kind = config.kind if config.kind != "auto" else automatic_kind(dataset, config)
    notices: list[str] = []
    if kind in RANDOM:
        parts = _random_parts(dataset, config, kind, seed if config.seed is None else config.seed, notices)
    else:
        parts = _given_parts(dataset, config, kind, root, encoding)
    assignment = np.full((len(parts), dataset.rows), UNUSED, dtype=np.int8)
    for split, (train, validate) in enumerate(parts):
        assignment[split, train], assignment[split, validate] = TRAIN, VALIDATE
        assignment[split, dataset.own_rows :] = _extra(dataset, validate, kind)
    plan = FoldPlan(assignment, kind, config.repeats if kind in RANDOM else 1, tuple(notices))
    made = [(plan.train(split), plan.validate(split)) for split in range(plan.splits)]
    fold_checks.check_parts(made, dataset.y, dataset.schema, kind)
    if dataset.group is not None:
        fold_checks.check_groups_whole(made, dataset.group, kind)
    if dataset.weight is not None:
        fold_checks.check_split_weights(dataset.weight, made)
    return plan


def all_rows_plan(rows: int, seeds: int) -> FoldPlan:
    """Return the plan of a refit on all rows: each of ``seeds`` splits trains on every row and validates none.

    ``rows`` are those of the whole table, extra rows included. Training seeds follow from the split's number: splits
    differ by that alone.
    """
    return FoldPlan(np.full((seeds, rows), TRAIN, dtype=np.int8), "all")


def automatic_kind(dataset: Dataset, config: FoldsConfig) -> str:
    """Return the kind of plan that the configuration and the data ask for."""
    for kind in ("column", "function", "file"):
        if getattr(config, kind) is not None:
            return kind
    if dataset.planning.time is not None:
        return "time"
    if dataset.group is not None:
        return "group"
    return "kfold" if dataset.schema.task == "regression" else "stratified"


def _extra(dataset: Dataset, validate: Index, kind: str) -> NDArray[np.int8]:
    """Return what a split does with the extra rows."""
    role = np.full(dataset.extra, TRAIN, dtype=np.int8)
    if dataset.group is not None:
        role[np.isin(dataset.group[dataset.own_rows :], dataset.group[validate])] = UNUSED
    time, extra_time = dataset.planning.time, dataset.planning.extra_time
    if kind == "time" and time is not None and extra_time is not None:
        role[extra_time >= time[validate].min()] = UNUSED
    return role


def _random_parts(dataset: Dataset, config: FoldsConfig, kind: str, seed: int, notices: list[str]) -> Parts:
    own, schema = dataset.own_rows, dataset.schema
    y, group = dataset.y[:own], None if dataset.group is None else dataset.group[:own]
    fold_checks.check_request(kind, config, y, group, schema)
    regression, parts, kept = schema.task == "regression", [], np.empty(0, dtype=np.intp)
    for repeat in range(config.repeats):
        chance = derive_seed(seed, "folds", repeat)
        folds = random_folds(kind, y, group, config.splits, chance, regression=regression)
        if schema.task == "multiclass":
            kept = kept_in_training(folds, y, group)
        for validated in folds:
            held = np.setdiff1d(validated, kept, assume_unique=True)
            parts.append((np.setdiff1d(np.arange(own), held, assume_unique=True), held))
    if schema.task == "multiclass":
        notices.extend(rare_notice(y, config.splits, schema, len(kept)))
    return parts


def _given_parts(dataset: Dataset, config: FoldsConfig, kind: str, root: Path | None, encoding: str) -> Parts:
    planning, rows = dataset.planning, dataset.own_rows
    if kind == "time":
        return time_folds(_given(planning.time, kind, "data.time"), config.splits, config.gap)
    if kind == "column":
        return folds_of_codes(_given(planning.fold, kind, "folds.column"))
    if kind == "function":
        frame = _given(planning.frame, kind, "folds.function")
        y = pd.Series(dataset.y[:rows], name=dataset.schema.target)
        return folds_of_function(_given(config.function, kind, "folds.function"), root, frame, y)
    path = (root or Path()) / _given(config.file, kind, "folds.file")
    return folds_of_file(path, dataset.ids, dataset.schema.id, rows, encoding, planning.positions)


def _given(value: Given | None, kind: str, key: str) -> Given:
    if value is None:
        raise DataError(f"folds.kind is '{kind}', but {key} is not set")
    return value
