"""The categorical half of a preparation that looks at no target: codes, or one column for each category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data.prepared import Prepared
from workbench.data.vocabulary import Vocabulary, code_size
from workbench.errors import WorkbenchError
from workbench.types import Column, InputSchema, Schema

Array = NDArray[Any]
MOST_ONE_HOT = 64
"""Columns of one category column, the one for all others included."""
WIDEST = 512
"""Columns of all category columns together: with more of them each gets fewer, at least two."""
MOST_CELLS = 2**25
"""Rows times columns of all category columns together, 268 MB: from 65,536 rows on there are fewer than `WIDEST`.

A fit holds several copies. 150,000 rows of 10 columns of 100 categories took 3.0 GB in 510 columns, 1.6 GB in 220.
"""


def categorical_columns(schema: Schema) -> tuple[Column, ...]:
    """Return the schema's category columns, in its order."""
    return tuple(column for column in schema.features if column.kind == "categorical")


class Codes:
    """Categories as codes by frequency (`workbench.data.vocabulary.Vocabulary`)."""

    def __init__(self, schema: Schema) -> None:
        """Take the sizes from a schema; nothing is fitted yet."""
        self._schema = schema
        self._columns = categorical_columns(schema)
        self._vocabularies: tuple[Vocabulary, ...] | None = None

    @property
    def inputs(self) -> InputSchema:
        """Names and sizes of the columns, from the schema alone."""
        return InputSchema(categorical=tuple(column.name for column in self._columns), sizes=self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Codes of each column, 0 included."""
        return tuple(code_size(column.size) for column in self._columns)

    def fit_transform(self, frame: pd.DataFrame, y: Array) -> Prepared:  # noqa: ARG002 - the contract of preparations
        """Fit on a conformed table and return it prepared; ``y`` is not looked at."""
        self.fit(frame)
        return self.transform(frame)

    def fit(self, frame: pd.DataFrame) -> None:
        """Take the vocabularies of a conformed table."""
        columns = zip(self._columns, self.sizes, strict=True)
        self._vocabularies = tuple(Vocabulary.fit(frame[column.name], size) for column, size in columns)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        return Prepared.codes(self.codes(frame))

    def codes(self, frame: pd.DataFrame) -> NDArray[np.int32]:
        """Return the codes of a conformed table: int32 ``(rows, q)``."""
        codes = np.empty((len(frame), len(self._columns)), dtype=np.int32)
        for index, (column, vocabulary) in enumerate(zip(self._columns, self._known(), strict=True)):
            codes[:, index] = vocabulary.transform(frame[column.name])
        return codes

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {"categories": [list(vocabulary.categories) for vocabulary in self._known()]}

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return the encoding that gave ``state``."""
        encoding = cls(schema)
        encoding._vocabularies = tuple(Vocabulary(tuple(categories)) for categories in state["categories"])
        return encoding

    def _known(self) -> tuple[Vocabulary, ...]:
        if self._vocabularies is None:
            raise WorkbenchError(f"{type(self).__name__} has nothing fitted yet; call fit_transform first")
        return self._vocabularies


class OneHot(Codes):
    """A column of 0 and 1 for each frequent category, and one for all others: rare, unknown or missing.

    A column has at most `MOST_ONE_HOT` of them, all together have `WIDEST`, fewer in a table of many rows
    (`MOST_CELLS`); which categories are frequent is fitted.
    """

    @property
    def inputs(self) -> InputSchema:
        """Names of the columns, from the schema alone: the rank of a category by its frequency, 0 for all others."""
        names = ((c.name, size) for c, size in zip(self._columns, self.sizes, strict=True))
        return InputSchema(numeric=tuple(f"{name}#{code}" for name, size in names for code in range(size)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Columns of each category column."""
        widest = min(WIDEST, MOST_CELLS // max(1, self._schema.rows))
        return capped([code_size(column.size) for column in self._columns], MOST_ONE_HOT, widest)

    def transform(self, frame: pd.DataFrame) -> Prepared:
        """Prepare a conformed table by what was fitted."""
        codes, sizes = self.codes(frame), self.sizes
        hot = np.zeros((len(frame), sum(sizes)))
        hot[np.arange(len(frame))[:, None], codes + _offsets(sizes)] = 1.0
        return Prepared.numbers(hot)


def capped(sizes: list[int], most: int, total: int) -> tuple[int, ...]:
    """Return the sizes cut at one common number of at most ``most`` (at least 2), so that they add up to ``total``."""
    while most > 2 and sum(min(size, most) for size in sizes) > total:
        most -= 1
    return tuple(min(size, most) for size in sizes)


def _offsets(sizes: tuple[int, ...]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
