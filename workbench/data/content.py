"""Keys of content: equal data give equal keys on every machine, whatever file it came from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]


def array_digest(array: Array | None) -> str:
    """Return a digest of an array's shape, type and values; every NaN is the same, and so are 0.0 and -0.0."""
    if array is None:
        return ""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array + 0.0)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.str}{little.shape}".encode())
    digest.update(little.tobytes())
    return digest.hexdigest()


def frame_digest(frame: pd.DataFrame) -> str:
    """Return a digest of a conformed table: names, types, values and the order of rows."""
    parts = [[str(name), _column_digest(frame[name])] for name in frame.columns]
    return hashlib.sha256(json.dumps([len(frame), parts]).encode()).hexdigest()


def _column_digest(column: pd.Series[Any]) -> str:
    if column.dtype == object:
        codes, values = pd.factorize(column)
        return array_digest(codes.astype(np.int32)) + hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()
    if column.dtype.kind == "M":
        return array_digest(column.to_numpy().astype("datetime64[us]").view(np.int64))
    return array_digest(column.to_numpy())
