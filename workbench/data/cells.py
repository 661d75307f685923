"""What a single cell means as a number, a boolean, a date or a category, whatever type a file or a frame gave it.

The rules look at one cell alone, so that a table converted row by row equals the table converted at once. They are
applied to a column's distinct values, not to its rows. ``None`` says that a cell cannot be read as what was asked for;
a cell without content is missing in every reading.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
INTEGER = re.compile(r"[+-]?\d+")
ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?", re.IGNORECASE
)
WORDS = {"true": True, "false": False, "yes": True, "no": False}
"""Text that makes a column boolean by itself."""
ACCEPTED = {**WORDS, "t": True, "f": False, "y": True, "n": False, "1": True, "0": False, "on": True, "off": False}
"""Text that is understood in a column that is boolean already."""


def factorize(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[Any]]:
    """Return codes ``(rows,)``, -1 for missing, and the distinct values in order of appearance."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    codes, values = pd.factorize(column)
    return codes, list(values)


def number(cell: Any) -> float | None:
    """Read a cell as a number; NaN for an empty one."""
    if isinstance(cell, str):
        text = cell.strip()
        if not text:
            return math.nan
        return float(text) if NUMBER.fullmatch(text) else None
    if isinstance(cell, (bool, int, float, Decimal, np.number, np.bool_)):
        return float(cell)
    return None


def boolean(cell: Any) -> float | None:
    """Read a cell as 0.0 or 1.0; NaN for an empty one."""
    if isinstance(cell, str):
        text = cell.strip().casefold()
        if not text:
            return math.nan
        return float(ACCEPTED[text]) if text in ACCEPTED else None
    value = number(cell)
    return value if value in (0.0, 1.0) else None


def is_boolean_word(cell: Any) -> bool:
    """Say whether a cell alone shows that its column is boolean: numbers 0 and 1 do not."""
    return isinstance(cell, (bool, np.bool_)) or (isinstance(cell, str) and cell.strip().casefold() in WORDS)


def category(cell: Any) -> str | None:
    """Return a cell's category as text; ``None`` for an empty one.

    ``3``, ``3.0``, ``"3"`` and ``"03"`` are one category, and so are ``True`` and ``"TRUE"``: which of them a cell
    turns into hangs on the other cells of its file, not on the cell.
    """
    if isinstance(cell, str):
        return _text_category(cell.strip())
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell))
    if isinstance(cell, (int, np.integer)):
        return str(int(cell))
    if isinstance(cell, (float, Decimal, np.floating)):
        return _float_category(float(cell))
    return str(cell)


def _text_category(text: str) -> str | None:
    if not text:
        return None
    if text[0].isalpha():  # most cells: numbers need not be tried
        return text.capitalize() if text.casefold() in ("true", "false") else text
    if INTEGER.fullmatch(text):
        return str(int(text))
    return _float_category(float(text)) if NUMBER.fullmatch(text) else text


def _float_category(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def is_date(cell: Any) -> bool:
    """Say whether a cell is a date, or text in the form of an ISO 8601 date or time."""
    if isinstance(cell, str):
        return ISO_DATE.fullmatch(cell.strip()) is not None
    return isinstance(cell, (dt.date, np.datetime64))


def datetimes(cells: Sequence[Any]) -> NDArray[np.datetime64]:
    """Read cells as ``datetime64[us]``; NaT for what is empty or unreadable. Zones are converted to UTC."""
    readable = [cell.strip() if isinstance(cell, str) else str(cell) if is_date(cell) else "" for cell in cells]
    shaped = [text if ISO_DATE.fullmatch(text) else None for text in readable]
    parsed = pd.to_datetime(pd.Series(shaped, dtype=object), format="ISO8601", utc=True, errors="coerce")
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")


def is_blank(cell: Any) -> bool:
    """Say whether a cell is text without content."""
    return isinstance(cell, str) and not cell.strip()


def shown(cell: Any) -> str:
    """Return a cell as messages show it: ``3.0``, not ``np.float64(3.0)``."""
    return repr(cell.item() if isinstance(cell, np.generic) else cell)
