"""A data set as everything downstream sees it: conformed, checked, encoded, and known by a key of its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from numpy.typing import NDArray

from workbench.data.dataset_files import read_about, read_array, read_frame, write_folder
from workbench.data.planning import Planning
from workbench.data.raw_columns import raw_frame
from workbench.errors import DataError
from workbench.types import Schema

Array = NDArray[Any]
_ARRAYS = ("y", "weight", "group", "ids", "test_ids")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training table, and the table to predict if there is one.

    ``features`` and ``test`` are conformed to ``schema``; ``others`` and ``test_others`` are the columns that models
    ignore and feature sets see (`Column.cells`). ``y`` is ``(rows,)``: float64 values or int64 class codes. ``weight``
    is float64 and ``group`` int64, both ``(rows,)``. ``ids`` and ``test_ids`` are int64, or text as in the file;
    ``None`` where the row's position identifies it. The last ``extra`` rows are trained on and never validated; they
    have no ``ids``. Equal keys mean equal content, row order included; ``test_key`` covers the test table's identifiers
    too, since a submission is made of them.
    """

    schema: Schema
    features: pd.DataFrame
    y: Array
    weight: Array | None = None
    group: Array | None = None
    ids: Array | None = None
    test: pd.DataFrame | None = None
    test_ids: Array | None = None
    others: pd.DataFrame = field(default_factory=pd.DataFrame)
    test_others: pd.DataFrame | None = None
    extra: int = 0
    key: str = ""
    test_key: str = ""
    notices: tuple[str, ...] = ()
    planning: Planning = field(default_factory=Planning)
    """What only fold plans look at; not saved."""

    @property
    def rows(self) -> int:
        """Rows to train on, the extra ones included."""
        return len(self.y)

    @property
    def own_rows(self) -> int:
        """Rows of the training table itself, which come first."""
        return len(self.y) - self.extra

    def raw(self, which: Literal["train", "test"]) -> pd.DataFrame:
        """Return a table as feature sets see it; see `workbench.data.raw_columns.raw_frame`.

        Raises:
            DataError: there is no test table.
        """
        if which == "train":
            return raw_frame(self.features, self.others, self.schema)
        if self.test is None or self.test_others is None:
            raise DataError("the experiment has no test table; name one in data.test")
        return raw_frame(self.test, self.test_others, self.schema)

    def save(self, folder: Path) -> None:
        """Write Parquet, npy and JSON files into ``folder``, all or nothing; a folder that holds the same is left."""
        about = {
            "key": self.key,
            "test_key": self.test_key,
            "extra": self.extra,
            "rows": [self.rows, 0 if self.test is None else len(self.test)],
            "schema": self.schema.model_dump(mode="json"),
            "notices": list(self.notices),
        }
        frames = {"features": self.features, "others": self.others, "test": self.test, "test_others": self.test_others}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_folder(folder, about, frames, arrays)

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read what `save` wrote.

        Raises:
            DataError: the folder holds no data set, or one of another format.
        """
        about = read_about(folder)
        schema = Schema.model_validate(about["schema"])
        others = [column for column in schema.columns if column.cells is not None]
        rows, test_rows = about["rows"]
        frames: dict[str, Any] = {
            "features": read_frame(folder, "features", schema.features, rows),
            "others": read_frame(folder, "others", others, rows),
        }
        if test_rows:
            frames["test"] = read_frame(folder, "test", schema.features, test_rows)
            frames["test_others"] = read_frame(folder, "test_others", others, test_rows)
        arrays: dict[str, Any] = {name: read_array(folder, name) for name in _ARRAYS}
        if arrays["y"] is None:
            raise DataError(f"{folder} is not whole: y.npy is absent; remove the folder to rewrite it")
        keys: dict[str, Any] = {name: about[name] for name in ("key", "test_key", "extra")}
        return cls(schema=schema, **frames, **arrays, **keys, notices=tuple(about["notices"]))
