"""Rows as models take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows as models take them: ``numeric`` float64 ``(rows, p)``, ``categorical`` int32 ``(rows, q)``."""

    numeric: NDArray[np.float64]
    categorical: NDArray[np.int32]

    @classmethod
    def numbers(cls, values: NDArray[np.float64]) -> Prepared:
        """Return float64 ``(rows, p)`` as rows without categorical columns."""
        return cls(values, np.empty((len(values), 0), dtype=np.int32))

    @classmethod
    def codes(cls, codes: NDArray[np.int32]) -> Prepared:
        """Return int32 ``(rows, q)`` as rows without numeric columns."""
        return cls(np.empty((len(codes), 0)), codes)

    @classmethod
    def joined(cls, parts: Sequence[Prepared]) -> Prepared:
        """Return parts of the same rows side by side."""
        return cls(_beside([part.numeric for part in parts]), _beside([part.categorical for part in parts]))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numeric)

    def matrix(self) -> NDArray[np.float64]:
        """Return all columns as float64 ``(rows, p + q)``, numbers first."""
        return np.hstack([self.numeric, self.categorical], dtype=np.float64)

    def take(self, index: Index) -> Prepared:
        """Return the rows at ``index``."""
        return Prepared(self.numeric[index], self.categorical[index])


def _beside(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays side by side, the only one that is not empty as it is: large tables are not copied for nothing."""
    full = [array for array in arrays if array.shape[1]]
    return full[0] if len(full) == 1 else np.hstack(full or arrays[:1])
