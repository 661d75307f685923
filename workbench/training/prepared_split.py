"""The table as one split's preparation gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.prepared import Prepared

MAPPED_BYTES = 2**22
"""What a split whose arrays are mapped files counts as: little, but not nothing, as files that gave way are let go."""


@dataclass(frozen=True)
class PreparedSplit:
    """The whole table, prepared by what was fitted on one split's training rows; its arrays cannot be written to.

    Training rows are as ``fit_transform`` gave them, all others as ``transform`` did, so that a preparation may
    cross-fit. Rows that early stopping watches are among the others: nothing has seen their targets. The shape is that
    of the whole table in every split: programs need no compilation of their own.
    """

    preparation: Any
    table: Prepared
    test: Prepared | None
    transformers: Sequence[Any] = ()
    """What each step of the family's feature set has learnt on the training rows; ``None`` for what learns nothing."""
    mapped: bool = False
    """Whether the arrays are files that all workers map."""

    @property
    def size(self) -> int:
        """Bytes of the arrays, as far as this process holds them."""
        if self.mapped:
            return MAPPED_BYTES
        parts = [self.table] if self.test is None else [self.table, self.test]
        return sum(part.numeric.nbytes + part.categorical.nbytes for part in parts)


def assembled(parts: Sequence[tuple[NDArray[np.intp], Prepared]], rows: int) -> Prepared:
    """Return a table of ``rows`` rows from parts of it, each with the positions of its rows."""
    first = parts[0][1]
    numeric = np.zeros((rows, first.numeric.shape[1]), dtype=first.numeric.dtype)
    categorical = np.zeros((rows, first.categorical.shape[1]), dtype=first.categorical.dtype)
    for index, part in parts:
        numeric[index], categorical[index] = part.numeric, part.categorical
    return Prepared(numeric, categorical)


def read_only(prepared: Prepared) -> Prepared:
    """Return rows that cannot be written to: many fits share them, in memory as on disk."""
    return Prepared(_locked(prepared.numeric), _locked(prepared.categorical))


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
