"""Folds that the user gives: a column's values, a function of the table, or a file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench import registry
from workbench.data.identifiers import identifiers
from workbench.data.planning import fold_codes
from workbench.data.readers import read_table
from workbench.errors import DataError, FactoryError, WorkbenchError

Array = NDArray[Any]
Parts = list[tuple[Array, Array]]
UNUSED, TRAIN, VALIDATE = 0, 1, 2
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises at a file that is empty, cut off or none of its own."""


def folds_of_codes(codes: Array) -> Parts:
    """Return the splits of which each validates the rows of one code ``(rows,)``; those below 0 are trained on."""
    return [(np.flatnonzero(codes != code), np.flatnonzero(codes == code)) for code in range(int(codes.max()) + 1)]


def folds_of_function(reference: str, root: Path | None, frame: pd.DataFrame, y: pd.Series[Any]) -> Parts:
    """Return the splits that a user's ``function(frame, y)`` yields: pairs of row positions.

    Raises:
        FactoryError: the function raised, or what it yields is no plan; names the split, counted from 1.
    """
    function = registry.load(reference, root)
    try:
        given = list(function(frame.copy(deep=False), y.copy()))
    except WorkbenchError:
        raise
    except Exception as error:
        raise FactoryError(f"folds.function '{reference}': {type(error).__name__}: {error}") from error
    if len(given) < 2:
        raise FactoryError(f"folds.function '{reference}': expected at least 2 splits, got {len(given)}")
    return [_pair(split, number, reference, len(frame)) for number, split in enumerate(given, start=1)]


def _pair(split: Any, number: int, reference: str, rows: int) -> tuple[Array, Array]:
    origin = f"folds.function '{reference}', split {number}"
    if not isinstance(split, Iterable) or len(pair := list(split)) != 2:
        got = type(split).__name__
        raise FactoryError(f"{origin}: expected a pair (train, validate) of row positions, got {got}")
    train, validate = (
        _positions(part, f"{origin}: {name}", rows) for part, name in zip(pair, ("train", "validate"), strict=True)
    )
    both = np.intersect1d(train, validate)
    if len(both):
        raise FactoryError(f"{origin}: {len(both)} rows are both trained on and validated, such as position {both[0]}")
    return train, validate


def _positions(part: Any, origin: str, rows: int) -> Array:
    positions = np.asarray(part)
    if positions.size == 0:
        raise FactoryError(f"{origin} is empty; every split needs rows to train on and rows to validate")
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        hint = "; np.flatnonzero gives those of a mask" if positions.dtype.kind == "b" else ""
        raise FactoryError(
            f"{origin}: expected a list of whole numbers, the positions of rows from 0, got an array of "
            f"{positions.dtype} and shape {positions.shape}{hint}"
        )
    outside = positions[(positions < 0) | (positions >= rows)]
    if len(outside):
        raise FactoryError(
            f"{origin} holds position {outside[0]}, but the table has {rows} rows: positions are 0 to {rows - 1} "
            "(not the frame's index, nor ids)"
        )
    unique: Array = np.unique(positions)
    if len(unique) < len(positions):
        raise FactoryError(f"{origin} holds {len(positions) - len(unique)} positions twice")
    return unique


def folds_of_file(
    path: Path, ids: Array | None, id_name: str | None, rows: int, encoding: str, positions: Array | None = None
) -> Parts:
    """Return the splits of a file: each row's fold in a table or ``.npy``, or ``(splits, rows)`` of 0, 1 and 2.

    A table of one column has the folds in the order of the rows; one of two has the id and the fold. In an assignment
    1 is trained on, 2 validated, 0 neither: the form in which plans are kept in a store's cache. Where rows are set
    aside, the folds are those of the remaining rows, or of all of them, of which ``positions`` ``(rows,)`` remain.

    Raises:
        DataError: the file does not give every row its fold.
    """
    origin = f"folds.file {path}"
    if path.suffix.lower() in (".npy", ".npz"):
        return _of_array(_remaining(_load(path), rows, positions), origin, rows)
    table = read_table(path, text=() if id_name is None else (id_name,), encoding=encoding).rename(columns=str)
    if table.shape[1] == 1:
        return _of_array(_remaining(table.iloc[:, 0].to_numpy(), rows, positions), origin, rows)
    names = [name for name in table.columns if name != id_name]
    if ids is None or id_name not in table.columns or len(names) != 1:
        expected = "one column, the folds" if ids is None else f"the columns '{id_name}' and a fold"
        raise DataError(f"{origin}: expected {expected}, got {', '.join(map(str, table.columns))}")
    found = [str(value) for value in identifiers(table[id_name], origin=origin)]
    known = pd.Series(table[names[0]].to_numpy(dtype=object), index=found)
    wanted = [str(value) for value in ids]
    absent = [value for value in wanted if value not in known.index]
    if absent:
        raise DataError(f"{origin} lacks {len(absent)} of the training table's ids, such as {absent[0]!r}")
    return folds_of_codes(fold_codes(known.loc[wanted].reset_index(drop=True), origin=origin))


def _load(path: Path) -> Array:
    try:
        with path.open("rb") as stream:  # NumPy leaves a broken file open
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            return np.asarray(loaded["assignment" if "assignment" in loaded else loaded.files[0]])
    except (*UNREADABLE, IndexError) as error:
        raise DataError(f"{path} cannot be read as an array of folds: {error}") from error


def _remaining(array: Array, rows: int, positions: Array | None) -> Array:
    """Return the folds of the rows that remain, less splits that validate none of them."""
    whole = array.ndim in (1, 2) and array.shape[-1]
    if positions is None or whole == rows or whole <= positions[-1]:
        return array
    left: Array = array[..., positions]
    return left if left.ndim == 1 else left[(left == VALIDATE).any(axis=1)]


def _of_array(array: Array, origin: str, rows: int) -> Parts:
    if array.ndim == 1 and len(array) == rows:
        return folds_of_codes(fold_codes(pd.Series(array), origin=origin))
    if array.ndim == 2 and array.shape[1] == rows and np.isin(array, (UNUSED, TRAIN, VALIDATE)).all():
        return [(np.flatnonzero(split == TRAIN), np.flatnonzero(split == VALIDATE)) for split in array]
    raise DataError(
        f"{origin}: expected a fold for each of the {rows} rows of the training table, or an array (splits, {rows}) of "
        f"0 (unused), 1 (train) and 2 (validate), got shape {array.shape}"
    )
