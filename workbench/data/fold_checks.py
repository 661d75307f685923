"""What a fold plan must hold to, told before anything is searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.config.models import FoldsConfig
from workbench.errors import DataError
from workbench.types import Schema

Array = NDArray[Any]
Parts = Sequence[tuple[Array, Array]]
"""Train and validate rows of each split."""


def check_request(kind: str, config: FoldsConfig, y: Array, group: Array | None, schema: Schema) -> None:
    """Check that a table can be split at random as asked; ``kind`` is ``kfold``, ``stratified`` or ``group``.

    Raises:
        DataError: fewer rows or groups than splits, one of two classes with fewer rows than splits in a stratified
            plan, a kind that does not fit the task, or groups that a plan would tear apart.
    """
    if kind == "group" and group is None:
        raise DataError("folds.kind is 'group', but data.group names no column")
    if kind != "group" and group is not None:
        raise DataError(
            f"folds.kind is '{kind}', but data.group must not be split; set folds.kind to 'group' or 'auto'"
        )
    if kind == "stratified" and schema.task == "regression":
        raise DataError(
            "folds.kind is 'stratified', but the target has no classes; set folds.kind to 'kfold' or 'auto'"
        )
    units, word = (len(y), "rows") if group is None else (len(np.unique(group)), "groups")
    if units < config.splits:
        raise DataError(f"{config.splits} folds need at least as many {word}, got {units}; set folds.splits lower")
    if kind == "stratified" and schema.task == "binary":
        _check_both_classes(y, config.splits, schema)


def _check_both_classes(y: Array, splits: int, schema: Schema) -> None:
    counts = np.bincount(y.astype(np.int64), minlength=len(schema.classes))
    fewest = int(counts.min())
    if fewest < splits:
        fewer = f"set folds.splits to {fewest}, or find" if fewest >= 2 else "find"
        raise DataError(
            f"each of {splits} folds needs a row of both classes of '{schema.target}', but there are {fewest} of "
            f"{schema.classes[int(counts.argmin())]!r}; {fewer} more rows of it"
        )


def check_parts(parts: Parts, y: Array, schema: Schema, kind: str) -> None:
    """Check that a model can learn every class in each split, and that each fold can be scored.

    Raises:
        DataError: names the first split, counted from 1, that lacks rows or a class.
    """
    classes = set(range(len(schema.classes)))
    for number, (train, validate) in enumerate(parts, start=1):
        lacking = classes - set(np.unique(y[train]).tolist())
        if schema.task == "binary":
            lacking |= classes - set(np.unique(y[validate]).tolist())
        if len(train) and len(validate) and not lacking:
            continue
        named = ", ".join(repr(schema.classes[int(code)]) for code in sorted(lacking))
        what = f"lacks class {named}" if len(train) and len(validate) else "has no rows to "
        if not (len(train) and len(validate)):
            what += "validate" if len(train) else "train on"
        raise DataError(f"fold {number} of {len(parts)} ({kind}) {what}; {_advice(kind)}")


def _advice(kind: str) -> str:
    if kind in ("column", "function", "file"):
        return f"correct the plan that folds.{kind} gives"
    if kind == "time":
        return "set folds.splits or folds.gap lower"
    return "set folds.splits lower, or merge groups or rare classes"


def check_groups_whole(parts: Parts, group: Array, kind: str) -> None:
    """Check that no group is both trained on and validated in a split.

    Raises:
        DataError: names the first split that tears groups apart.
    """
    for number, (train, validate) in enumerate(parts, start=1):
        torn = np.intersect1d(group[train], group[validate])
        if len(torn):
            given = f"correct the plan that folds.{kind} gives, or remove data.group"
            advice = "remove data.group, or data.time" if kind == "time" else given
            raise DataError(
                f"fold {number} of {len(parts)} ({kind}) trains on and validates rows of the same group, in "
                f"{len(torn)} groups; {advice}"
            )


def check_split_weights(weight: Array, parts: Parts) -> None:
    """Check that some weight is left to train on and to score by in each split, given its train and validate rows.

    Raises:
        DataError: names the first split, counted from 1, of which a part weighs nothing.
    """
    for number, split in enumerate(parts, start=1):
        for name, rows in zip(("training", "validation"), split, strict=True):
            if not weight[rows].any():
                raise DataError(
                    f"fold {number} of {len(parts)}: the weights of its {len(rows)} {name} rows are all 0, so it "
                    "cannot be used; remove the rows of weight 0, set folds.splits lower, or take another seed"
                )
