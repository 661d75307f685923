"""Submissions of several labels a row, best first, in one cell: as MAP@K is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError, nearest
from workbench.metrics import Array
from workbench.types import Scalar

APART = " "


def class_text(value: Scalar) -> str:
    """Return a class as it is written in text: a whole number without its ``.0``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def shown_labels(column: pd.Series[Any], classes: Sequence[Scalar], most: int | None) -> int:
    """Return how many labels, with a space between them, the cells of a sample submission hold; 0 if no such list.

    ``most`` is the K of a metric that ranks; it is told of, where cells are lists. Classes with spaces are no lists.

    Raises:
        DataError: the metric ranks, and the cells are lists of something else than classes.
    """
    known = {class_text(value) for value in classes}
    cells = column.dropna().astype(str).str.strip()
    if any(APART in name for name in known) or not cells.str.contains(APART).any():
        return 0
    parts = [cell.split() for cell in cells]
    strange = sorted({name for names in parts for name in names} - known)
    if strange and most is not None:
        raise DataError(
            f"the sample submission's column '{column.name}' holds lists of labels such as '{cells.iloc[0]}', but "
            f"'{strange[0]}' is no class.{nearest(strange[0], sorted(known))}"
        )
    return 0 if strange else min(len(known), most or max(map(len, parts)))


def best_labels(prediction: Array, classes: Sequence[Scalar], count: int) -> Array:
    """Return the ``count`` most probable classes of each row as text, best first; of equals the earlier class first."""
    names = np.array([class_text(value) for value in classes], dtype=object)
    best = np.argsort(-prediction, axis=1, kind="stable")[:, :count]
    cells = np.empty(len(prediction), dtype=object)
    cells[:] = [APART.join(row) for row in names[best]]
    return cells


def ranking_findings(column: pd.Series[Any], classes: Sequence[Scalar], count: int) -> list[str]:
    """Return what is wrong with lists of labels."""
    known = {class_text(value) for value in classes}
    rows = [str(cell).split(APART) for cell in column.dropna()]
    strange = sorted({name for row in rows for name in row} - known)
    findings = [f"{len(strange)} labels are not classes: {', '.join(map(repr, strange[:3]))}"] if strange else []
    wrong = [row for row in rows if len(row) != count or len(set(row)) != count]
    if wrong:
        findings.append(f"{len(wrong)} rows do not hold {count} different labels, such as {APART.join(wrong[0])!r}")
    return findings
