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
from workbench.delivery.ranking import class_text
from workbench.delivery.submission import id_keys
from workbench.errors import DataError, nearest
from workbench.exchange.given_cells import checked_predictions
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
        frame = read_table(file, text=POSITIONS if schema.id is None else [schema.id], encoding=encoding)
        names = [str(name) for name in frame.columns]
        identifier = _identifier(file, schema, names)
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
    def hint(self) -> str:
        """What to think of where ids are not those expected."""
        return "" if self.schema.id is not None else " (data.id is not set: rows are known by their position, from 0)"

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
                f"each of them{self.hint}"
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
        cells = self.cells.iloc[rows]
        try:
            return checked_predictions(cells.set_axis(self.keys[rows], axis=0), self.id, self.schema)
        except DataError as error:
            raise DataError(f"{self.file}: {error}") from error


def some(texts: Sequence[str]) -> str:
    """Return a few examples."""
    return ", ".join(f"'{text}'" for text in texts[:SHOWN])


def _identifier(file: Path, schema: Schema, names: Sequence[str]) -> str | None:
    """Return the column that rows are joined by; ``None`` where it is their order."""
    if schema.id is not None:
        if schema.id not in names:
            raise DataError(
                f"{file} has no column '{schema.id}' (data.id), by which rows are joined; it has {_listed(names)}."
                f"{nearest(schema.id, names)}"
            )
        return schema.id
    found = next((name for name in POSITIONS if name in names), None)
    if found in {column.name for column in schema.columns}:
        raise DataError(
            f"{file}: '{found}' is a column of your training table too, and not the id: set 'data.id: {found}' to join "
            f"by it, or rename the file's to '{POSITIONS[-1]}', positions from 0"
        )
    return found


def _prediction_columns(file: Path, schema: Schema, names: Sequence[str]) -> tuple[str, ...]:
    """Return the column of each class in code order, or the single one."""
    columns = columns_of_classes(schema, names)
    if columns and len(columns) == len(names):
        return columns
    if len(names) == 1 and schema.outputs == 1 and names[0] not in {class_text(value) for value in schema.classes[:1]}:
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
