"""A table of predictions that somebody made elsewhere: read, joined by row id, and checked cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.readers import read_table
from workbench.delivery.layout import columns_of_classes
from workbench.delivery.submission import SUM_TOLERANCE, id_keys
from workbench.errors import DataError, nearest
from workbench.metrics import Array
from workbench.types import Schema
from workbench.wording import counted

FOLD = "fold"
"""Name of the column that says in which fold a row was validated."""

POSITIONS = ("id", "row")
"""Names of a column of rows' positions from 0, where the experiment's rows have no ids."""

SHOWN = 3


@dataclass(frozen=True, eq=False)
class Given:
    """A file of predictions, in its own order."""

    file: Path
    id: str
    """What its rows are known by, as messages call it."""
    keys: pd.Index[str]
    """Ids as text (`id_keys`), each once."""
    cells: pd.DataFrame
    """The prediction columns: one, or one a class in code order."""
    fold: pd.Series[Any] | None
    schema: Schema

    @classmethod
    def read(cls, file: Path, schema: Schema, *, encoding: str = "utf-8") -> Given:
        """Read a table with an id column, a column of predictions or one a class, and perhaps ``fold``.

        Without ``data.id`` rows are known by their position in the training or test table, from 0: the column ``id`` or
        ``row``, else the order of the file.

        Raises:
            DataError: the file cannot be read; columns are absent or cannot be told apart; ids are absent or repeated.
        """
        known = (schema.id,) if schema.id is not None else POSITIONS
        frame = read_table(file, text=[name for name in known if name], encoding=encoding)
        names = [str(name) for name in frame.columns]
        identifier = next((name for name in known if name in names), None)
        if identifier is None and schema.id is not None:
            raise DataError(
                f"{file} has no column '{schema.id}' (data.id), by which rows are joined; it has {_listed(names)}."
                f"{nearest(schema.id, names)}"
            )
        columns = _prediction_columns(file, schema, [name for name in names if name not in (identifier, FOLD)])
        return cls(
            file=file,
            id=identifier or "row",
            keys=_keys(file, frame[identifier] if identifier else None, len(frame)),
            cells=frame[list(columns)],
            fold=frame[FOLD] if FOLD in names else None,
            schema=schema,
        )

    @property
    def probabilities(self) -> bool:
        """Whether cells are probabilities."""
        return self.schema.task != "regression"

    def find(self, ids: Sequence[Any] | Array) -> Array:
        """Return the file's row of each id, -1 where it has none, ``(ids,)``."""
        return self.keys.get_indexer(pd.Index(id_keys(ids)))

    def rows_of(self, ids: Sequence[Any] | Array, what: str) -> Array:
        """Return the file's row of each id, ``(ids,)``.

        Raises:
            DataError: some are lacking; ``what`` they are.
        """
        rows = self.find(ids)
        lacking = np.flatnonzero(rows < 0)
        if len(lacking):
            examples = some([id_keys([ids[index]])[0] for index in lacking[:SHOWN]])
            raise DataError(
                f"{self.file} lacks {len(lacking):,} of {len(ids):,} {what}, such as {self.id} {examples}; predict "
                "each of them"
            )
        return rows

    def unknown(self, *known: Sequence[Any] | Array) -> list[str]:
        """Return the ids of the file that are none of the known ones."""
        ours = pd.Index([key for ids in known for key in id_keys(ids)])
        return list(self.keys[~self.keys.isin(ours)])

    def predictions(self, rows: Array) -> Array:
        """Return the predictions of some rows of the file as the workbench holds them, float64 ``(rows, outputs)``.

        Raises:
            DataError: cells are no numbers, not finite, no probabilities, or classes' do not sum to 1.
        """
        findings = [said for name in self.cells for said in self._findings(self.cells[name].iloc[rows], rows)]
        if findings:
            raise DataError(f"{self.file}: " + "; ".join(findings))
        cells: Array = self.cells.iloc[rows].to_numpy(dtype=np.float64)
        if cells.shape[1] == 1:
            return cells
        total = cells.sum(axis=1)
        wrong = np.flatnonzero(np.abs(total - 1.0) > SUM_TOLERANCE)
        if len(wrong):
            raise DataError(
                f"{self.file}: class probabilities of {counted(len(wrong), 'row')} do not sum to 1, such as "
                f"{total[wrong[0]]:.6g} of {self.id} '{self.keys[rows[wrong[0]]]}'"
            )
        cells = cells / total[:, np.newaxis]
        return cells[:, 1:] if self.schema.outputs == 1 else cells

    def _findings(self, column: pd.Series[Any], rows: Array) -> list[str]:
        """Return what is wrong with a column of cells, those of the file's ``rows``."""
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        gaps = column.isna().to_numpy()
        text = ~gaps & np.isnan(numbers)
        outside = (numbers < 0.0) | (numbers > 1.0) if self.probabilities else np.zeros(len(numbers), dtype=bool)
        checks = {
            "empty": gaps,
            "no number": text,
            "infinite": np.isinf(numbers),
            "no probability of 0 to 1": outside & np.isfinite(numbers),
        }
        return [
            f"column '{column.name}': {counted(int(wrong.sum()), 'cell')} {said}, such as "
            + self._example(column, rows, wrong)
            for said, wrong in checks.items()
            if wrong.any()
        ]

    def _example(self, column: pd.Series[Any], rows: Array, wrong: Array) -> str:
        first = int(wrong.argmax())
        return f"{column.iloc[first]!s} of {self.id} '{self.keys[rows[first]]}'"


def some(texts: Sequence[str]) -> str:
    """Return a few examples."""
    return ", ".join(f"'{text}'" for text in texts[:SHOWN])


def _prediction_columns(file: Path, schema: Schema, names: Sequence[str]) -> tuple[str, ...]:
    """Return the column of each class in code order, or the single one."""
    columns = columns_of_classes(schema, names)
    if columns and len(columns) == len(names):
        return columns
    if len(names) == 1 and schema.outputs == 1:
        return tuple(names)
    raise DataError(
        f"{file}: expected {_expected(schema)} beside the id and '{FOLD}', got {_listed(names)}; rename or remove "
        "columns"
    )


def _expected(schema: Schema) -> str:
    classes = _listed([str(value) for value in schema.classes])
    if schema.task == "regression":
        return "one column of predictions"
    if schema.task == "binary":
        return f"one column with the probability of '{schema.classes[1]}', or one a class ({classes})"
    return f"one column of probabilities a class, named after them ({classes}) or all with one prefix,"


def _keys(file: Path, column: pd.Series[Any] | None, rows: int) -> pd.Index[str]:
    if column is None:
        return pd.Index([str(position) for position in range(rows)])
    if gaps := int(column.isna().sum()):
        raise DataError(
            f"{file}: {counted(gaps, 'row')} without {column.name}, the first in row {column.isna().argmax() + 1}"
        )
    keys = id_keys(column)
    repeated = [key for key, times in Counter(keys).items() if times > 1]
    if repeated:
        raise DataError(
            f"{file}: {counted(len(repeated), 'id')} in several rows, such as {column.name} {some(repeated)}; each row "
            "has one prediction: where several fits validated it, their mean"
        )
    return pd.Index(keys)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:8])
    return (shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")) or "none"
