"""A data set as everything downstream sees it: conformed, checked, encoded, and known by a key of its content."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import ExperimentConfig
from workbench.data import checks
from workbench.data.content import array_digest, frame_digest
from workbench.data.identifiers import identifiers
from workbench.data.labels import encode
from workbench.data.readers import read_table
from workbench.data.schema import conform, infer_schema
from workbench.errors import DataError
from workbench.types import Column, Needs, Schema, fingerprint

Array = NDArray[Any]
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training table, and the table to predict if there is one.

    ``features`` and ``test`` are conformed to ``schema``. ``y`` is ``(rows,)``: float64 values or int64 class codes.
    ``weight`` is float64 and ``group`` int64, both ``(rows,)``. ``ids`` and ``test_ids`` are int64, or text as in the
    file; ``None`` where the row's position identifies it. Equal keys mean equal content, row order included;
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
    key: str = ""
    test_key: str = ""
    notices: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the training table."""
        return len(self.y)

    def save(self, folder: Path) -> None:
        """Write Parquet, npy and JSON files into ``folder``, all or nothing; a folder that holds the same is left."""
        if _saved_keys(folder) == (self.key, self.test_key):
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            written = Path(temporary) / "dataset"
            written.mkdir()
            self._write(written)
            with contextlib.suppress(FileNotFoundError):
                folder.rename(Path(temporary) / "replaced")
            try:
                written.rename(folder)
            except OSError:  # another process was faster
                if _saved_keys(folder) != (self.key, self.test_key):
                    raise

    def _write(self, folder: Path) -> None:
        self.features.to_parquet(folder / "features.parquet", engine="pyarrow", index=False)
        if self.test is not None:
            self.test.to_parquet(folder / "test.parquet", engine="pyarrow", index=False)
        for name, array in self._arrays().items():
            if array is not None:
                np.save(folder / f"{name}.npy", array.astype(str) if array.dtype == object else array, False)
        about = {
            "format": FORMAT,
            "key": self.key,
            "test_key": self.test_key,
            "schema": self.schema.model_dump(mode="json"),
            "notices": list(self.notices),
        }
        (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")

    def _arrays(self) -> dict[str, Array | None]:
        return {"y": self.y, "weight": self.weight, "group": self.group, "ids": self.ids, "test_ids": self.test_ids}

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read what `save` wrote.

        Raises:
            DataError: the folder holds no data set, or one of another format.
        """
        file = folder / "dataset.json"
        if not file.is_file():
            raise DataError(f"{folder} holds no data set: {file.name} is absent")
        about = json.loads(file.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise DataError(f"{file} has format {about['format']}, expected {FORMAT}; remove the folder to rewrite it")
        schema = Schema.model_validate(about["schema"])
        y = _load(folder, "y")
        if y is None:
            raise DataError(f"{folder} is not whole: y.npy is absent; remove the folder to rewrite it")
        test = folder / "test.parquet"
        return cls(
            schema=schema,
            features=_read_features(folder / "features.parquet", schema),
            y=y,
            weight=_load(folder, "weight"),
            group=_load(folder, "group"),
            ids=_load(folder, "ids"),
            test=_read_features(test, schema) if test.is_file() else None,
            test_ids=_load(folder, "test_ids"),
            key=about["key"],
            test_key=about["test_key"],
            notices=tuple(about["notices"]),
        )


def load_dataset(config: ExperimentConfig, root: Path, metric_needs: Needs) -> Dataset:
    """Read, infer, check and conform an experiment's tables; paths are relative to the folder ``root``.

    Raises:
        DataError: whatever `workbench.data.readers`, `workbench.data.checks` and `workbench.data.schema` refuse.
    """
    text: Collection[str] = () if config.data.id is None else (config.data.id,)
    train = read_table(root / config.data.train, text=text)
    test = None if config.data.test is None else read_table(root / config.data.test, text=text)
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
    tested, test_ids = (None, None) if test is None else _test_part(config, test, schema)
    return Dataset(
        schema=schema,
        features=features,
        y=y,
        weight=weight,
        group=group,
        ids=ids,
        test=tested,
        test_ids=test_ids,
        key=content_key(schema, features, y, weight, group),
        test_key="" if tested is None else _test_key(tested, test_ids),
        notices=notices,
    )


def content_key(schema: Schema, features: pd.DataFrame, y: Array, weight: Array | None, group: Array | None) -> str:
    """Return the key of a training table's content: 16 hexadecimal digits."""
    arrays = [array_digest(y), array_digest(weight), array_digest(group)]
    return fingerprint("train", schema.model_dump(mode="json"), frame_digest(features), *arrays)


def _test_key(test: pd.DataFrame, ids: Array | None) -> str:
    text = ids.astype(str) if ids is not None and ids.dtype == object else ids
    return fingerprint("test", frame_digest(test), array_digest(text))


def _test_part(config: ExperimentConfig, test: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, Array | None]:
    origin = f"test table {config.data.test.name}" if config.data.test is not None else "test table"
    test = test.rename(columns=str).reset_index(drop=True)
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


def _saved_keys(folder: Path) -> tuple[str, str] | None:
    try:
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        return (about["key"], about["test_key"]) if about["format"] == FORMAT else None
    except (OSError, ValueError, KeyError):
        return None


def _load(folder: Path, name: str) -> Array | None:
    file = folder / f"{name}.npy"
    if not file.is_file():
        return None
    array: Array = np.load(file, allow_pickle=False)
    return array.astype(object) if array.dtype.kind == "U" else array


def _read_features(file: Path, schema: Schema) -> pd.DataFrame:
    frame = pd.read_parquet(file, engine="pyarrow")
    columns = {column.name: _restored(frame[column.name], column) for column in schema.features}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def _restored(stored: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """Give a column the type that `workbench.data.schema.conform` gave it; Parquet brings text back as ``str``."""
    if column.kind == "categorical":
        values = stored.to_numpy(dtype=object, copy=True)
        values[stored.isna().to_numpy()] = None
        return pd.Series(values).astype(object)
    return stored.astype("datetime64[us]") if column.kind == "datetime" else stored
