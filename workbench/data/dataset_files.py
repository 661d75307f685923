"""A data set's folder: Parquet for tables, npy for arrays, and ``dataset.json``; written all or nothing."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.errors import DataError
from workbench.types import Column, ColumnKind

Array = NDArray[Any]
FORMAT = 2
FILE = "dataset.json"


def write_folder(
    folder: Path,
    about: Mapping[str, Any],
    frames: Mapping[str, pd.DataFrame | None],
    arrays: Mapping[str, Array | None],
) -> None:
    """Write a folder, all or nothing; one that has the same keys is left as it is."""
    keys = (about["key"], about["test_key"])
    if _saved_keys(folder) == keys:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        written = Path(temporary) / "dataset"
        written.mkdir()
        _write(written, about, frames, arrays)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(Path(temporary) / "replaced")
        try:
            written.rename(folder)
        except OSError:  # another process was faster
            if _saved_keys(folder) != keys:
                raise


def _write(
    folder: Path,
    about: Mapping[str, Any],
    frames: Mapping[str, pd.DataFrame | None],
    arrays: Mapping[str, Array | None],
) -> None:
    for name, frame in frames.items():
        if frame is not None:
            frame.to_parquet(folder / f"{name}.parquet", engine="pyarrow", index=False)
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array.astype(str) if array.dtype == object else array, False)
    (folder / FILE).write_text(json.dumps({"format": FORMAT, **about}), encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """Return what ``dataset.json`` says.

    Raises:
        DataError: the folder holds no data set, or one of another format.
    """
    file = folder / FILE
    if not file.is_file():
        raise DataError(f"{folder} holds no data set: {file.name} is absent")
    about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise DataError(f"{file} has format {about['format']}, expected {FORMAT}; remove the folder to rewrite it")
    return about


def read_array(folder: Path, name: str) -> Array | None:
    """Return an array, text as ``object``; ``None`` where none was written."""
    file = folder / f"{name}.npy"
    if not file.is_file():
        return None
    array: Array = np.load(file, allow_pickle=False)
    return array.astype(object) if array.dtype.kind == "U" else array


def read_frame(folder: Path, name: str, columns: Iterable[Column], rows: int) -> pd.DataFrame:
    """Return a conformed table of ``rows`` rows with the types that `workbench.data.conform` gave it."""
    stored = pd.read_parquet(folder / f"{name}.parquet", engine="pyarrow")
    restored = {column.name: _restored(stored[column.name], column.cells or column.kind) for column in columns}
    return pd.DataFrame(restored, index=pd.RangeIndex(rows))


def _restored(stored: pd.Series[Any], kind: ColumnKind) -> pd.Series[Any]:
    """Parquet brings text back as ``str``, with NaN for gaps."""
    if kind == "categorical":
        values = stored.to_numpy(dtype=object, copy=True)
        values[stored.isna().to_numpy()] = None
        return pd.Series(values, dtype=object)  # without it, pandas would infer its own string type
    return stored.astype("datetime64[us]") if kind == "datetime" else stored


def _saved_keys(folder: Path) -> tuple[str, str] | None:
    try:
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return (about["key"], about["test_key"]) if about["format"] == FORMAT else None
    except (OSError, ValueError, KeyError):
        return None
