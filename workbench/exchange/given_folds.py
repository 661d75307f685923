"""Are the folds of somebody else's predictions those of one's own plan? Mixed fold plans are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.data.folds import FoldPlan
from workbench.errors import DataError
from workbench.exchange.given import FOLD, Given
from workbench.metrics import Array

UNCHECKED = (
    "its folds cannot be checked: {why}. If they are not yours, its score does not compare with yours, and where "
    "groups or times were mixed it is too good: it gets too much weight, and the nested score promises too much"
)


def check_folds(given: Given, plan: FoldPlan, validated: Array, rows: Array) -> str:
    """Compare the fold of each row with the split that validates it, whatever folds are called.

    Args:
        given: The file.
        plan: One's own.
        validated: Positions of the rows that splits validate, ``(rows,)``.
        rows: Their rows in the file, ``(rows,)``.

    Returns:
        Why that could not be done; empty where all is as it should be, in one repeat at least.

    Raises:
        DataError: a row lies in another fold, or has none.
    """
    if given.fold is None:
        return UNCHECKED.format(why=f"it has no column '{FOLD}'")
    folds = given.fold.iloc[rows]
    if folds.isna().any():
        count, first = int(folds.isna().sum()), int(folds.isna().argmax())
        raise DataError(
            f"{given.file}: {count:,} rows without a {FOLD}, such as {given.id} '{given.keys[rows[first]]}'; fill in "
            "all of them, or leave the column out"
        )
    repeats = [_splits(plan, repeat, validated) for repeat in range(plan.repeats)]
    if any(splits is None for splits in repeats):
        return UNCHECKED.format(why="rows of your plan are validated by several splits")
    found = [_Compared(given, folds, splits, rows) for splits in repeats if splits is not None]
    best = min(found, key=lambda each: int(each.strange.sum()))
    if best.strange.any():
        raise DataError(best.said())
    return ""


def _splits(plan: FoldPlan, repeat: int, validated: Array) -> Array | None:
    """Return the split of a repeat that validates each row, ``(rows,)``; ``None`` where several or none do."""
    here = [split for split in range(plan.splits) if plan.repeat(split) == repeat]
    times, split_of = np.zeros(plan.rows, dtype=int), np.full(plan.rows, -1)
    for split in here:
        rows = plan.validate(split)
        times[rows] += 1
        split_of[rows] = split
    return split_of[validated] if (times[validated] == 1).all() else None


class _Compared:
    """Folds beside splits, each fold with the split that shares most rows with it."""

    def __init__(self, given: Given, folds: pd.Series[Any], splits: Array, rows: Array) -> None:
        from scipy.optimize import linear_sum_assignment

        codes, names = pd.factorize(folds)
        own, places = np.unique(splits, return_inverse=True)
        counts = np.zeros((len(names), len(own)), dtype=int)
        np.add.at(counts, (codes, places), 1)
        partner = np.full(len(names), -1)
        left, right = linear_sum_assignment(counts, maximize=True)
        partner[left] = right
        self._given, self._names, self._own, self._rows = given, names, own, rows
        self._codes, self._places, self._partner = codes, places, partner
        self.strange = partner[codes] != places
        """Rows that lie elsewhere, ``(rows,)``."""

    def said(self) -> str:
        """Return what is wrong."""
        first, given, rows = int(self.strange.argmax()), self._given, len(self.strange)
        fold, split = self._names[self._codes[first]], self._own[self._places[first]]
        partner = self._partner[self._codes[first]]
        whose = f"most of which is your split {self._own[partner]}" if partner >= 0 else "which is none of your splits"
        return (
            f"{given.file}: mixed fold plans are refused: {int(self.strange.sum()):,} of {rows:,} rows are validated "
            f"in another fold than yours ({len(self._names)} folds there, {len(self._own)} splits here), such as "
            f"{given.id} '{given.keys[self._rows[first]]}': fold {fold} there ({whose}), split {split} here. "
            "Train it again on your folds, or agree on folds.column or folds.file"
        )
