"""Folds drawn at random: plain, stratified by class, and by groups; rare classes are spread as well as can be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import DataError
from workbench.types import Schema

Array = NDArray[Any]
Index = NDArray[np.intp]
MANY_GROUPS = 2000
MOST_KEPT = 0.1
"""At most this share of the rows is taken out of validation so that every split can learn every class."""


def random_folds(kind: str, y: Array, group: Array | None, splits: int, seed: int, *, regression: bool) -> list[Index]:
    """Return the validated rows of each fold; ``kind`` is ``kfold``, ``stratified`` or ``group``."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if kind == "kfold":
        return _split(KFold(n_splits=splits, shuffle=True, random_state=seed), y, y, None)
    # scikit-learn stratifies where one class at least has a row for every fold.
    stratifiable = not regression and int(np.bincount(y).max()) >= splits
    if kind == "stratified" and not stratifiable:
        return _dealt(y, splits, seed)
    if kind == "stratified":
        return _split(StratifiedKFold(n_splits=splits, shuffle=True, random_state=seed), y, y, None)
    if not stratifiable or group is None:
        return _split(GroupKFold(n_splits=splits, shuffle=True, random_state=seed), y, y, group)
    if _many_small(group, splits):
        groups, label = _group_labels(group, y)
        by_label = StratifiedKFold(n_splits=splits, shuffle=True, random_state=seed)
        return [np.flatnonzero(np.isin(group, groups[held])) for held in _split(by_label, groups, label, None)]
    return _split(StratifiedGroupKFold(n_splits=splits, shuffle=True, random_state=seed), y, y, group)


def kept_in_training(folds: list[Index], y: Array, group: Array | None) -> Index:
    """Return rows that no fold may validate, as the others would have nothing of their class to learn from.

    A class of one row is such a case, and one whose rows all lie in one group: the whole group is kept. Nothing is
    where that would be more than `MOST_KEPT` of the rows.
    """
    counts = np.bincount(y)
    kept = np.zeros(len(y), dtype=bool)
    for validated in folds:
        here = np.bincount(y[validated], minlength=len(counts))
        kept[validated] |= np.isin(y[validated], np.flatnonzero((here == counts) & (counts > 0)))
    if group is not None:
        kept = np.isin(group, group[kept])
    return np.flatnonzero(kept) if kept.mean() <= MOST_KEPT else np.empty(0, dtype=np.intp)


def rare_notice(y: Array, splits: int, schema: Schema, kept: int) -> list[str]:
    """Tell of classes that have fewer rows than there are folds, and of rows that are never validated."""
    counts = np.bincount(y, minlength=len(schema.classes))
    rare = [f"{schema.classes[code]!r} ({counts[code]})" for code in np.flatnonzero(counts < splits)]
    never = f"{kept} rows are always trained on and never validated, as nothing else shows their class"
    if not rare:
        return [never] if kept else []
    listed = ", ".join(rare[:10]) + (f" and {len(rare) - 10} more" if len(rare) > 10 else "")
    told = f"classes of '{schema.target}' with fewer rows than the {splits} folds: {listed}; some folds validate none"
    return [f"{told}; {never}" if kept else told]


def _dealt(y: Array, splits: int, seed: int) -> list[Index]:
    """Deal the rows of one class after the other to the folds, as cards."""
    order = np.lexsort((np.random.default_rng(seed).permutation(len(y)), y))
    return [np.sort(order[fold::splits]) for fold in range(splits)]


def _split(splitter: Any, x: Array, y: Array, group: Array | None) -> list[Index]:
    with warnings.catch_warnings():
        # Classes with few rows are judged by what the plan does to them.
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
