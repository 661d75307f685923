"""Folds in time: each is validated by what came before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import DataError

Array = NDArray[Any]
Index = NDArray[np.intp]


def time_folds(time: Array, splits: int, gap: int) -> list[tuple[Index, Index]]:
    """Return train and validate rows of an expanding window, as scikit-learn's ``TimeSeriesSplit`` has them.

    The rows are sorted by ``time`` of shape ``(rows,)`` and end in ``splits`` equal parts, the first of which is
    validated by the rows before it, the second by those and the first, and so on. The last ``gap`` rows before a
    validated part are left out. Rows of one time stay together: a border moves to the nearest change of time.

    Raises:
        DataError: too few rows or different times.
    """
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    size = len(time) // (splits + 1)
    starts = [nearest_change(ordered, len(time) - size * left) for left in range(splits, 0, -1)]
    borders = [*starts, len(time)]
    if size == 0 or starts[0] == 0 or len(set(borders)) < len(borders):
        raise DataError(
            f"{splits} folds in time need more than {splits} different times that are spread over the rows, got "
            f"{len(np.unique(time))} in {len(time)} rows; set folds.splits lower, or name a finer column in data.time"
        )
    ends = [start_of_time(ordered, start - gap) if gap else start for start in starts]
    if ends[0] <= 0:
        raise DataError(
            f"folds.gap is {gap}, which leaves nothing of the {starts[0]} rows before the first validated part; set "
            "folds.gap or folds.splits lower"
        )
    return [
        (np.sort(order[:end]), np.sort(order[start:stop]))
        for end, start, stop in zip(ends, starts, borders[1:], strict=True)
    ]


def nearest_change(ordered: Array, position: int) -> int:
    """Return the position nearest to ``position`` at which the time changes."""
    left = int(np.searchsorted(ordered, ordered[position], side="left"))
    right = int(np.searchsorted(ordered, ordered[position], side="right"))
    return left if position - left <= right - position or right == len(ordered) else right


def start_of_time(ordered: Array, position: int) -> int:
    """Return the start of the rows that have the time at ``position``; negative positions stay as they are."""
    return int(np.searchsorted(ordered, ordered[position], side="left")) if position > 0 else position
