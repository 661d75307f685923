"""Codes of categories, fitted in the fold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
MOST_CODES = 1024
"""Codes of one column, 0 included. An embedding row or a one-hot column that few rows ever touch learns nothing."""


@dataclass(frozen=True)
class Vocabulary:
    """The categories of one column in code order: the most frequent has code 1; 0 is unknown, missing or rare."""

    categories: tuple[str, ...]

    @classmethod
    def fit(cls, column: pd.Series[Any], size: int) -> Vocabulary:
        """Take the ``size - 1`` most frequent categories of a column of ``str`` or ``None``, ties by text."""
        codes, values = pd.factorize(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        order = sorted(range(len(values)), key=lambda index: (-counts[index], values[index]))
        return cls(tuple(str(values[index]) for index in order[: size - 1]))

    def transform(self, column: pd.Series[Any]) -> Array:
        """Return int32 codes ``(rows,)`` in ``[0, size)``."""
        return (self._index.get_indexer(pd.Index(column, dtype=object)) + 1).astype(np.int32)

    @cached_property
    def _index(self) -> pd.Index[Any]:
        return pd.Index(self.categories, dtype=object)


def code_size(categories: int) -> int:
    """Return how many codes a column of so many categories in the whole training table has."""
    return min(categories + 1, MOST_CODES)
