"""Members' numbers row by row, as a matrix that is read in blocks and never copied whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.ensembles.threads import over_blocks
from workbench.metrics import Array

BLOCK, GRAM_BLOCK = 250_000, 1_000_000
"""Numbers of a block: in float64 2 MB stay in a core's cache; products want longer rows."""


@dataclass(frozen=True)
class MixtureRows:
    """The matrix ``A = predictions - offset``, or its absolute values, of which weights with sum 1 make a mixture.

    The residuals of a regression have the offset ``y``; the probability of a binary row's own class is ``|p - 1|``
    where the class is the negative one, and ``|p - 0|`` where not. What is computed from ``A`` is float64, whatever the
    predictions are stored in, and is not the difference of two large sums.

    Attributes:
        predictions: ``(members, rows)``, rows next to each other in memory.
        offset: ``(rows,)``, or ``None`` for 0 everywhere.
        absolute: Whether absolute values are meant.
    """

    predictions: Array
    offset: Array | None = None
    absolute: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Members and rows."""
        members, rows = self.predictions.shape
        return members, rows

    def mix(self, weights: Array) -> Array:
        """Return the mixture ``weights @ A``, ``(rows,)``, under ``weights`` ``(members,)``."""
        return self._fill(lambda numbers: weights @ numbers)

    def largest(self) -> Array:
        """Return the largest number of any member in each row, ``(rows,)``."""
        return self._fill(lambda numbers: numbers.max(axis=0))

    def smallest(self) -> Array:
        """Return the smallest number of any member in each row, ``(rows,)``."""
        return self._fill(lambda numbers: numbers.min(axis=0))

    def pull(self, factors: Array, rows: slice | None = None) -> Array:
        """Return ``A factors`` over ``rows`` (all), ``(members,)``, for ``factors`` of as many rows."""
        part = rows or slice(0, self.shape[1])

        def block(at: slice) -> Array:
            return np.asarray(self._numbers(at) @ factors[at.start - part.start : at.stop - part.start])

        return sum(over_blocks(block, part, self._width(BLOCK)), np.zeros(self.shape[0]))

    def gram(self, factors: Array, columns: Array | None = None, rows: slice | None = None) -> Array:
        """Return ``A diag(factors) A'`` over ``rows`` (all) of the members ``columns`` (all).

        ``factors`` is of as many rows, none negative.
        """
        part = rows or slice(0, self.shape[1])
        chosen = slice(None) if columns is None or len(columns) == self.shape[0] else columns
        count = self.shape[0] if columns is None else len(columns)
        roots = np.sqrt(factors)

        def block(at: slice) -> Array:
            scaled = self._numbers(at, chosen) * roots[at.start - part.start : at.stop - part.start]
            return np.asarray(scaled @ scaled.T)

        return sum(over_blocks(block, part, self._width(GRAM_BLOCK)), np.zeros((count, count)))

    def every(self, step: int) -> MixtureRows:
        """Return the matrix of every ``step``-th row, a copy."""
        offset = None if self.offset is None else self.offset[::step]
        return MixtureRows(np.ascontiguousarray(self.predictions[:, ::step]), offset, self.absolute)

    def _fill(self, by_row: Callable[[Array], Array]) -> Array:
        """Return what ``by_row`` makes of every column of numbers, ``(rows,)``."""
        filled = np.empty(self.shape[1])

        def block(at: slice) -> None:
            filled[at] = by_row(self._numbers(at))

        for _ in over_blocks(block, slice(0, self.shape[1]), self._width(BLOCK)):
            pass
        return filled

    def _numbers(self, at: slice, chosen: slice | Array = slice(None)) -> Array:
        """Return some rows of ``A``, float64 ``(members, rows)``; not to be written to."""
        numbers = self.predictions[chosen, at]
        if self.offset is None:
            return numbers.astype(np.float64, copy=False)
        shifted: Array = np.subtract(numbers, self.offset[at], dtype=np.float64)
        return np.abs(shifted, out=shifted) if self.absolute else shifted

    def _width(self, block: int) -> int:
        return max(256, block // self.shape[0])
