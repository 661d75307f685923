"""Which rows of a training table are set aside: drawn at random, whole groups, or the latest."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.config.models import HoldoutConfig
from workbench.data.time_folds import nearest_change, start_of_time
from workbench.errors import DataError
from workbench.seeds import derive_seed

Array = NDArray[Any]
DRAWS = 20
"""So many times whole groups are drawn; the draw that is most like the table is taken."""


def way(config: HoldoutConfig, time: Array | None, group: Array | None) -> Literal["random", "time", "group"]:
    """Return how the rows are chosen."""
    if config.by != "auto":
        return config.by
    return "time" if time is not None else "group" if group is not None else "random"


def random_rows(y: Array, may: Array, share: float, seed: int, *, regression: bool) -> Array:
    """Return a mask of rows ``(rows,)``: systematically sampled from the rows in the order of their targets.

    So every class, or range of values, has its share. One row at least of each class is left to train on.

    Args:
        y: values, or class codes ``(rows,)``.
        may: mask of the rows that may be set aside.
        share: of all rows.
        seed: of the draw.
        regression: ``y`` holds values.
    """
    rng = np.random.default_rng(derive_seed(seed, "holdout"))
    order = np.lexsort((rng.permutation(len(y)), y))
    if not regression:  # the first of each class stays
        order = order[np.r_[False, y[order][1:] == y[order][:-1]]]
    order = order[may[order]]
    count = min(round(share * len(y)), len(order))
    held = np.zeros(len(y), dtype=bool)
    held[order[((np.arange(count) + rng.random()) * len(order) / max(1, count)).astype(np.intp)]] = True
    return held


def group_rows(y: Array, group: Array, may: Array, share: float, seed: int, *, regression: bool) -> Array:
    """Return a mask of rows ``(rows,)``: whole groups, of some draws those whose size and targets fit best.

    ``group`` holds codes ``(rows,)``; for the rest see `random_rows`. A group with a row that may not be set aside
    stays.
    """
    rng = np.random.default_rng(derive_seed(seed, "holdout"))
    sizes = np.bincount(group)
    groups = np.setdiff1d(np.flatnonzero(sizes), group[~may])
    draws = [np.isin(group, _first(rng.permutation(groups), sizes, share * len(y))) for _ in range(DRAWS)]
    misfits = [abs(held.mean() / share - 1) + _unlike(y, held, regression=regression) for held in draws]
    return draws[int(np.argmin(misfits))]


def _first(drawn: Array, sizes: Array, wanted: float) -> Array:
    """Return the first of the groups that were drawn, so many that their rows are nearest to ``wanted``."""
    totals = np.r_[0, np.cumsum(sizes[drawn])]
    return drawn[: int(np.argmin(np.abs(totals - wanted)))]


def _unlike(y: Array, held: Array, *, regression: bool) -> float:
    """Return how far the targets of some rows are from those of the table: shares of classes, or standardised means."""
    if not held.any():
        return float("inf")
    if regression:
        return float(abs(y[held].mean() - y.mean()) / (y.std() or 1.0))
    all_of, held_of = np.bincount(y), np.bincount(y[held], minlength=int(y.max()) + 1)
    return float(np.abs(held_of / held.sum() - all_of / len(y)).sum())


def latest_rows(time: Array, may: Array, share: float, gap: int) -> tuple[Array, Array]:
    """Return masks ``(rows,)`` of the latest rows that may be set aside, and of the rows that are left to train on.

    Rows of one time stay together; the last ``gap`` rows before the latest are in neither part, and so are late rows
    that may not be set aside.

    Raises:
        DataError: no earlier row is left to train on.
    """
    ordered = np.sort(time, kind="stable")
    start = nearest_change(ordered, min(round(len(time) * (1 - share)), len(time) - 1))
    end = start_of_time(ordered, start - gap) if gap else start
    if end <= 0:
        raise DataError(
            f"holdout.share {share:g} by time leaves nothing to train on: {len(np.unique(time))} different times in "
            f"{len(time)} rows, folds.gap {gap}; set a smaller share or gap, or name a finer column in data.time"
        )
    late = time >= ordered[start]
    return late & may, time < ordered[end]
