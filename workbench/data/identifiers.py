"""What identifies a row, in the one form in which training, test and submission tables are compared."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import checks

WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def identifiers(column: pd.Series[Any], *, origin: str) -> NDArray[Any]:
    """Return a column of identifiers: int64 where each is written as a whole number would be, else text as it is.

    Read the column as text (``read_table(path, text=[name])``), so that ``0012`` is not taken for 12.

    Raises:
        DataError: a row has no identifier, or one appears twice.
    """
    checks.check_ids(column, origin=origin)
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    texts = [_text(value) for value in column]
    if all(WHOLE.fullmatch(text) for text in texts):
        return np.array([int(text) for text in texts], dtype=np.int64)
    return np.array(texts, dtype=object)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, (float, np.floating)) and value.is_integer() else str(value)
