"""A data set as everything downstream sees it: conformed, checked, encoded, and known by a key of its content."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import ExperimentConfig
from workbench.data import checks
from workbench.data.content import array_digest, frame_digest
from workbench.data.dataset_files import read_about, read_array, read_frame, write_folder
from workbench.data.identifiers import identifiers
from workbench.data.labels import encode
from workbench.data.raw_columns import other_columns, raw_frame
from workbench.data.readers import read_table
from workbench.data.schema import conform, infer_schema
from workbench.errors import DataError
from workbench.types import Needs, Schema, fingerprint

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

    @property
    def rows(self) -> int:
        """Rows of the training table."""
        return len(self.y)

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
        about = {
            "key": about["key"],
            "test_key": about["test_key"],
            "extra": about["extra"],
            "notices": tuple(about["notices"]),
        }
        return cls(schema=schema, **frames, **arrays, **about)


def load_dataset(config: ExperimentConfig, root: Path, metric_needs: Needs) -> Dataset:
    """Read, infer, check and conform an experiment's tables; paths are relative to the folder ``root``.

    Raises:
        DataError: whatever `workbench.data.readers`, `workbench.data.checks` and `workbench.data.schema` refuse.
    """
    text: Collection[str] = () if config.data.id is None else (config.data.id,)
    read = partial(read_table, text=text, encoding=config.data.encoding)
    train = read(root / config.data.train)
    test = None if config.data.test is None else read(root / config.data.test)
    return build_dataset(config, train, test, metric_needs)


def build_dataset(
    config: ExperimentConfig, train: pd.DataFrame, test: pd.DataFrame | None, metric_needs: Needs
) -> Dataset:
    """Make a data set of tables that are in memory; see `load_dataset`."""
    data = config.data
    origin = f"training table {data.train.name}"
    train = train.rename(columns=str).reset_index(drop=True)
    checks.check_train(train, data, origin=origin)
    schema, notices = infer_schema(train, data, task=config.task, metric_needs=metric_needs)
    y = encode(train[data.target], schema, origin=origin)
    if isinstance(config.metric, str):
        checks.check_metric(config.metric, y, task=schema.task, classes=schema.classes)
    features = conform(train, schema, origin=origin)
    weight = None if data.weight is None else _weights(train[data.weight], origin)
    group = None if data.group is None else _groups(train[data.group], origin)
    ids = None if data.id is None else identifiers(train[data.id], origin=origin)
    if test is not None:
        test = test.rename(columns=str).reset_index(drop=True)
    tested, test_ids = (None, None) if test is None else _test_part(config, test, schema)
    seen = other_columns(train, test, schema)
    return Dataset(
        schema=seen.schema,
        features=features,
        y=y,
        weight=weight,
        group=group,
        ids=ids,
        test=tested,
        test_ids=test_ids,
        others=seen.train,
        test_others=seen.test,
        key=_content_key(seen.schema, (features, seen.train), (y, weight, group)),
        test_key="" if tested is None or seen.test is None else _test_key((tested, seen.test), test_ids),
        notices=(*notices, *seen.notices),
    )


def _content_key(schema: Schema, frames: Iterable[pd.DataFrame], arrays: Iterable[Array | None]) -> str:
    """Return the key of a training table's content: 16 hexadecimal digits."""
    parts = [*(frame_digest(frame) for frame in frames), *(array_digest(array) for array in arrays)]
    return fingerprint("train", schema.model_dump(mode="json"), *parts)


def _test_key(frames: Iterable[pd.DataFrame], ids: Array | None) -> str:
    text = ids.astype(str) if ids is not None and ids.dtype == object else ids
    return fingerprint("test", *(frame_digest(frame) for frame in frames), array_digest(text))


def _test_part(config: ExperimentConfig, test: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, Array | None]:
    origin = f"test table {config.data.test.name}" if config.data.test is not None else "test table"
    checks.check_test(test, config.data, origin=origin)
    ids = None if config.data.id is None else identifiers(test[config.data.id], origin=origin)
    return conform(test, schema, origin=origin), ids


def _weights(column: pd.Series[Any], origin: str) -> Array:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    checks.check_weights(numbers, name=str(column.name), origin=origin)
    return numbers


def _groups(column: pd.Series[Any], origin: str) -> Array:
    checks.check_groups(column, origin=origin)
    codes, _ = pd.factorize(column)
    return codes.astype(np.int64)
