"""Parts of a split's training rows: those that early stopping watches, and the share that a screening trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INNER_SHARE = 0.1
"""Share of a training fold that early stopping watches with ``stopping: inner``."""


def share_of(train: NDArray[np.intp], y: NDArray[Any], share: float, stratify: bool, seed: int) -> NDArray[np.intp]:
    """Return a random ``share`` of the rows ``train``, in their order; with ``stratify`` of each class, at least a row.

    At least two rows where there are two: a model is not fitted on less.
    """
    rng = np.random.default_rng(seed)
    parts = [train[y[train] == code] for code in np.unique(y[train])] if stratify else [train]
    least = 1 if len(parts) > 1 else 2
    return np.sort(np.concatenate([rng.permutation(rows)[: max(least, round(len(rows) * share))] for rows in parts]))


def inner_split(
    train: NDArray[np.intp], y: NDArray[Any], stratify: bool, seed: int, group: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Part a training fold into rows to train on and rows to watch.

    With ``group`` ``(rows,)`` whole groups are watched: rows of one group resemble each other, and to watch what is
    known from training would stop too late. A fold of a single group is parted like one without groups. With
    ``stratify`` every class keeps its share, at least a row; a class of one row stays in training.
    """
    rng = np.random.default_rng(seed)
    if group is not None and len(np.unique(group[train])) > 1:
        chosen = np.flatnonzero(np.isin(group[train], _watched_groups(group[train], rng)))
        return np.delete(train, chosen), train[chosen]
    parts = [train[y[train] == code] for code in np.unique(y[train])] if stratify else [train]
    watch = [rng.permutation(rows)[: max(1, round(len(rows) * INNER_SHARE))] for rows in parts if len(rows) > 1]
    chosen = np.sort(np.concatenate(watch)) if watch else rng.permutation(train)[: max(1, len(train) // 10)]
    return np.setdiff1d(train, chosen, assume_unique=True), chosen


def _watched_groups(group: NDArray[np.int64], rng: np.random.Generator) -> list[np.int64]:
    """Draw groups that hold together about `INNER_SHARE` of the rows; never all of them.

    A group is taken where it brings the rows nearer to the share; the smallest one where each is too large.
    """
    codes, sizes = np.unique(group, return_counts=True)
    wanted, chosen, taken = len(group) * INNER_SHARE, [], 0
    for index in rng.permutation(len(codes)):
        if abs(taken + sizes[index] - wanted) < abs(taken - wanted):
            chosen.append(codes[index])
            taken += sizes[index]
    return chosen or [codes[np.argmin(sizes)]]
