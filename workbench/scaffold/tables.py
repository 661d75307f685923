"""The tables that an experiment begins with, and how its file names them."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from workbench.data import read_table
from workbench.errors import DataError

MOST_STEPS_UP = 3
"""A table further away than so many folders up is named by its absolute path."""


@dataclass(frozen=True)
class Tables:
    """Paths of the tables, relative to the current folder, and what the user knows of them."""

    train: Path
    test: Path | None = None
    sample_submission: Path | None = None
    target: str | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    metric: str | None = field(default=None, kw_only=True)
    encoding: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class Frames:
    """The tables as read, with text for column names."""

    train: pd.DataFrame
    test: pd.DataFrame | None = None
    sample: pd.DataFrame | None = None

    @property
    def features_of_both(self) -> list[str]:
        """The columns that are in every table of rows."""
        return [name for name in self.train.columns if self.test is None or name in self.test.columns]


def read_frames(tables: Tables) -> Frames:
    """Read the tables. Identifiers, as far as they are known, are read as text, so that ``0012`` stays what it is.

    Raises:
        DataError: one of them cannot be read; see `workbench.data.readers.read_table`.
    """
    shown = None if tables.sample_submission is None else _read(tables, tables.sample_submission, ())
    text = {str(name) for name in ([] if shown is None else shown.columns[:1])} | ({tables.id} if tables.id else set())
    train, test, sample = (
        None if path is None else _read(tables, path, text)
        for path in (tables.train, tables.test, tables.sample_submission)
    )
    return Frames(pd.DataFrame(train), test, sample)


def _read(tables: Tables, path: Path, text: Collection[str]) -> pd.DataFrame:
    try:
        return read_table(path, text=text, encoding=tables.encoding or "utf-8").rename(columns=str)
    except DataError as error:
        if "data.encoding" in str(error):
            raise DataError(f"{error} (for workbench init: --encoding)") from error
        raise


def path_from(folder: Path, table: Path) -> str:
    """Return a table's path as an ``experiment.yaml`` in ``folder`` names it: relative if the table is near."""
    absolute = table.resolve()
    relative = Path(os.path.relpath(absolute, folder.resolve()))
    steps_up = relative.parts.count("..")
    near = steps_up <= MOST_STEPS_UP and steps_up < len(folder.resolve().parts) - 1  # not by way of the root
    return (relative if near else absolute).as_posix()
