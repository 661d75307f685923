"""Fold plans: splits by rows, each {unused, train, validate}, made once, hashed, and shared by every model."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.config.models import FoldsConfig
from workbench.data import checks
from workbench.data.dataset import Dataset
from workbench.errors import DataError
from workbench.seeds import derive_seed
from workbench.types import fingerprint

Array = NDArray[Any]
Index = NDArray[np.intp]
UNUSED, TRAIN, VALIDATE = 0, 1, 2
MANY_GROUPS = 2000


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """Which rows each split trains on and validates.

    ``assignment`` is int8 of shape ``(splits, rows)``; the splits of one repeat follow each other. ``key`` is the
    fingerprint of the assignment: predictions made under different keys are never averaged.
    """

    assignment: NDArray[np.int8]
    kind: str
    repeats: int = 1
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
            with np.load(file, allow_pickle=False) as stored:
                return cls(stored["assignment"], str(stored["kind"]), int(stored["repeats"]))
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{file} is no fold plan: {error}; remove it to have it made again") from error


def make_plan(dataset: Dataset, config: FoldsConfig, seed: int) -> FoldPlan:
    """Split the rows of a data set: ``auto`` is group with a group column, stratified for classes, else kfold.

    Every repeat validates each row once and is shuffled by its own seed. Groups are never torn apart; with classes,
    they are spread so that the folds' class shares are alike.

    Raises:
        DataError: the table cannot be split as asked; see `workbench.data.checks.check_folds` and
            `workbench.data.checks.check_split_weights`.
    """
    kind = config.kind if config.kind != "auto" else _automatic(dataset)
    checks.check_folds(kind, config, dataset.y, dataset.group, dataset.schema)
    assignment = np.full((config.splits * config.repeats, dataset.rows), TRAIN, dtype=np.int8)
    for repeat in range(config.repeats):
        folds = _folds(dataset, kind, config.splits, derive_seed(seed, "folds", repeat))
        for number, validated in enumerate(folds):
            assignment[repeat * config.splits + number, validated] = VALIDATE
    plan = FoldPlan(assignment, kind, config.repeats)
    _check_parts(plan, dataset)
    if dataset.weight is not None:
        checks.check_split_weights(dataset.weight, [(plan.train(s), plan.validate(s)) for s in range(plan.splits)])
    return plan


def _automatic(dataset: Dataset) -> str:
    if dataset.group is not None:
        return "group"
    return "kfold" if dataset.schema.task == "regression" else "stratified"


def _folds(dataset: Dataset, kind: str, splits: int, seed: int) -> list[Index]:
    """Return the validated rows of each fold."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    regression = dataset.schema.task == "regression"
    if kind == "kfold":
        splitter = KFold
    elif kind == "stratified":
        splitter = StratifiedKFold
    else:
        splitter = GroupKFold if regression else StratifiedGroupKFold
    if splitter is StratifiedGroupKFold and dataset.group is not None and _many_small(dataset.group, splits):
        group, label = _group_labels(dataset.group, dataset.y)
        by_label = StratifiedKFold(n_splits=splits, shuffle=True, random_state=seed)
        return [np.flatnonzero(np.isin(dataset.group, group[held])) for held in _split(by_label, group, label, None)]
    divided = splitter(n_splits=splits, shuffle=True, random_state=seed)
    return _split(divided, dataset.y, dataset.y, dataset.group)


def _split(splitter: Any, x: Array, y: Array, group: Array | None) -> list[Index]:
    with warnings.catch_warnings():
        # Classes with few rows are judged by `_check_parts`, which looks at what the plan does to them.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        try:
            return [held for _, held in splitter.split(x, y, group)]
        except ValueError as error:
            raise DataError(f"the rows cannot be split as asked: {error}") from error


def _many_small(group: Array, splits: int) -> bool:
    """Say whether groups are so many and so small that chance balances the folds' sizes.

    `StratifiedGroupKFold` places one group after the other: 8 s for 10,000 groups on a busy core.
    """
    sizes = np.bincount(group)
    return len(sizes) > MANY_GROUPS and int(sizes.max()) * splits * 20 <= len(group)


def _group_labels(group: Array, y: Array) -> tuple[Array, Array]:
    """Return the groups and the most frequent class of each, the rarer one of the table where two are as frequent."""
    rarity = np.argsort(np.argsort(-np.bincount(y), kind="stable"))
    keys, counts = np.unique(group * len(rarity) + rarity[y], return_counts=True)
    order = np.lexsort((keys % len(rarity), counts, keys // len(rarity)))
    groups = keys[order] // len(rarity)
    last = np.append(groups[1:] != groups[:-1], True)
    return groups[last], (keys[order] % len(rarity))[last]


def _check_parts(plan: FoldPlan, dataset: Dataset) -> None:
    """Refuse plans under which a model could not learn a class, or a fold could not be scored."""
    classes = set(range(len(dataset.schema.classes)))
    for split in range(plan.splits):
        validated = dataset.y[plan.validate(split)]
        lacking = classes - set(np.unique(dataset.y[plan.train(split)]).tolist())
        if dataset.schema.task == "binary":
            lacking |= classes - set(np.unique(validated).tolist())
        if len(validated) == 0 or lacking:
            named = ", ".join(repr(dataset.schema.classes[int(code)]) for code in sorted(lacking))
            what = f"lacks class {named}" if lacking else "has no rows"
            raise DataError(
                f"fold {split + 1} of {plan.splits} ({plan.kind}) {what}; set folds.splits lower, or merge "
                "groups or rare classes"
            )
