"""The tables that an experiment begins with, and how its file names them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from workbench.data import read_table

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
    """Read the tables.

    Raises:
        DataError: one of them cannot be read; see `workbench.data.readers.read_table`.
    """
    text = () if tables.id is None else (tables.id,)
    read = [
        None if path is None else read_table(path, text=text).rename(columns=str)
        for path in (tables.train, tables.test, tables.sample_submission)
    ]
    train, test, sample = read
    return Frames(pd.DataFrame(train), test, sample)


def path_from(folder: Path, table: Path) -> str:
    """Return a table's path as an ``experiment.yaml`` in ``folder`` names it: relative if the table is near."""
    absolute = table.resolve()
    relative = Path(os.path.relpath(absolute, folder.resolve()))
    steps_up = relative.parts.count("..")
    near = steps_up <= MOST_STEPS_UP and steps_up < len(folder.resolve().parts) - 1  # not by way of the root
    return (relative if near else absolute).as_posix()
