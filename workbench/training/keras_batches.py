"""Rows for inference in batches of few sizes, so that few programs are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from workbench.training.keras_feed import Feed, count, take

LARGEST = 8192
"""Rows in one call of a model: bounds memory."""
SMALLEST = 64


def batches(x: Feed) -> Iterator[tuple[Feed, int]]:
    """Yield a feed in batches of one size, each with the number of its own rows, which stand first.

    Of a feed without rows there is one batch, without rows of its own.
    """
    total = count(x)
    rows = rows_a_call(total)
    for first in range(0, max(total, 1), rows):
        yield filled(take(x, slice(first, first + rows)), rows), min(rows, total - first)


def rows_a_call(rows: int) -> int:
    """Return for how many rows to compile so that so many are predicted: few numbers occur, at most a ninth over."""
    calls = max(1, -(-rows // LARGEST))
    return few_sizes(-(-rows // calls))


def few_sizes(rows: int, least: int = SMALLEST) -> int:
    """Return the next of the sizes that arrays are filled up to: eight in each power of two."""
    if rows <= least:
        return least
    step = 1 << max(0, (rows - 1).bit_length() - 4)
    return -(-rows // step) * step


def filled(x: Feed, rows: int) -> Feed:
    """Return a feed with zeros behind its rows, so that there are ``rows``; in inference no row depends on another."""
    import keras

    def fill(array: Any) -> Any:
        array = np.asarray(array)
        if len(array) == rows:
            return array
        whole = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
        whole[: len(array)] = array
        return whole

    return keras.tree.map_structure(fill, x)
