"""A data set as everything downstream sees it: conformed, checked, encoded, and known by a key of its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from numpy.typing import NDArray

from workbench.data.content import array_digest
from workbench.data.dataset_files import read_about, read_array, read_frame, write_folder
from workbench.data.planning import Planning
from workbench.data.raw_columns import raw_frame
from workbench.errors import DataError
from workbench.types import Column, Schema, fingerprint

Array = NDArray[Any]
_ARRAYS = ("y", "weight", "group", "ids", "test_ids", "holdout_y", "holdout_weight", "holdout_ids")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training table, and the table to predict if there is one.

    ``features`` and ``test`` are conformed to ``schema``; ``others`` and ``test_others`` are the columns that models
    ignore and feature sets see (`Column.cells`). ``y`` is ``(rows,)``: float64 values or int64 class codes. ``weight``
    is float64 and ``group`` int64, both ``(rows,)``. ``ids`` and ``test_ids`` are int64, or text as in the file;
    ``None`` where the row's position identifies it. The last ``extra`` rows are trained on and never validated; they
    have no ``ids``. The last rows of ``test`` are those set aside, if any (`workbench.data.holdout`): models predict
    them as any test row; ``holdout_y``, ``holdout_weight`` and ``holdout_ids`` (positions in the training table where
    it has no ids) are theirs, ``test_ids`` has none of them. Equal keys mean equal content, row order included;
    ``test_key`` covers the test table's identifiers too, since a submission is made of them.
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
    holdout_y: Array | None = None
    holdout_weight: Array | None = None
    holdout_ids: Array | None = None
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

    @property
    def test_rows(self) -> int | None:
        """Rows to predict, those set aside included; ``None`` where there are none."""
        return None if self.test is None else len(self.test)

    @property
    def holdout_rows(self) -> int:
        """Rows set aside, the last ones to predict."""
        return 0 if self.holdout_y is None else len(self.holdout_y)

    @property
    def holdout_key(self) -> str:
        """A key of which rows are set aside and of their targets, whatever columns there are; empty without any."""
        if self.holdout_ids is None:
            return ""
        ids = self.holdout_ids
        return fingerprint(array_digest(ids.astype(str) if ids.dtype == object else ids), array_digest(self.holdout_y))

    @property
    def asked_rows(self) -> int:
        """Rows of the test table itself, which a submission is made of and which come first."""
        return (self.test_rows or 0) - self.holdout_rows

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
            "rows": [self.rows, self.test_rows or 0],
            "schema": self.schema.model_dump(mode="json"),
            "notices": list(self.notices),
        }
        frames = {"features": self.features, "others": self.others, "test": self.test, "test_others": self.test_others}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_folder(folder, about, frames, arrays)

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read what `save` wrote; the tables when they are first looked at.

        Raises:
            DataError: the folder holds no data set, or one of another format.
        """
        about = read_about(folder)
        arrays: dict[str, Any] = {name: read_array(folder, name) for name in _ARRAYS}
        if arrays["y"] is None:
            raise DataError(f"{folder} is not whole: y.npy is absent; remove the folder to rewrite it")
        return SavedDataset(folder, about, arrays)


class SavedDataset(Dataset):
    """A data set of a folder, whose tables are read when they are first looked at.

    A worker that maps prepared splits looks at none: pandas would copy their columns, and text cannot be mapped.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], arrays: Mapping[str, Array | None]) -> None:
        """Take what ``dataset.json`` says, and the arrays."""
        known = {name: about[name] for name in ("key", "test_key", "extra")}
        own = {"schema": Schema.model_validate(about["schema"]), "notices": tuple(about["notices"])}
        # A frozen data class sets its own fields in the same way; the tables are left out.
        vars(self).update(known | own | dict(arrays), planning=Planning(), _folder=folder, _rows=about["rows"])

    @property
    def test_rows(self) -> int | None:
        """Rows to predict, those set aside included; ``None`` where there are none."""
        return vars(self)["_rows"][1] or None

    @cached_property
    def features(self) -> pd.DataFrame:
        """The training table's columns that models see."""
        return self._frame("features", self.schema.features, self.rows)

    @cached_property
    def others(self) -> pd.DataFrame:
        """Its columns that only feature sets see."""
        return self._frame("others", self._cells, self.rows)

    @cached_property
    def test(self) -> pd.DataFrame | None:
        """The test table's columns that models see."""
        return None if self.test_rows is None else self._frame("test", self.schema.features, self.test_rows)

    @cached_property
    def test_others(self) -> pd.DataFrame | None:
        """Its columns that only feature sets see."""
        return None if self.test_rows is None else self._frame("test_others", self._cells, self.test_rows)

    @property
    def _cells(self) -> list[Column]:
        return [column for column in self.schema.columns if column.cells is not None]

    def _frame(self, name: str, columns: Iterable[Column], rows: int) -> pd.DataFrame:
        return read_frame(vars(self)["_folder"], name, columns, rows)
