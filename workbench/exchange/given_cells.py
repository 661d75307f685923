"""The cells of somebody's predictions, checked, and as the workbench holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from workbench.delivery.submission import SUM_TOLERANCE
from workbench.errors import DataError
from workbench.metrics import Array
from workbench.types import Schema
from workbench.wording import counted


def checked_predictions(cells: pd.DataFrame, identifier: str, schema: Schema) -> Array:
    """Return predictions as the vault has them, float64 ``(rows, outputs)``; several classes sum to 1.

    Args:
        cells: One column, or one a class in code order; its index are the rows' ids.
        identifier: What messages call these ids.
        schema: Of the table that is predicted.

    Raises:
        DataError: cells are no numbers, not finite, or no probabilities; the classes of a row do not sum to 1.
    """
    findings = [said for name in cells for said in _findings(cells[name], identifier, schema)]
    if findings:
        raise DataError("; ".join(findings))
    values: Array = cells.to_numpy(dtype=np.float64)
    if values.shape[1] == 1:
        return values
    total = values.sum(axis=1)
    wrong = np.abs(total - 1.0) > SUM_TOLERANCE
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"class probabilities of {counted(int(wrong.sum()), 'row')} do not sum to 1, such as {total[first]:.6g} of "
            f"{identifier} '{cells.index[first]}'"
        )
    values = values / total[:, np.newaxis]
    return values[:, 1:] if schema.outputs == 1 else values


def _findings(column: pd.Series[Any], identifier: str, schema: Schema) -> Iterator[str]:
    """Yield what is wrong with a column."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    gaps, infinite = column.isna().to_numpy(), np.isinf(numbers)
    outside = ((numbers < 0.0) | (numbers > 1.0)) & ~infinite
    checks = {
        "empty": gaps,
        "no number": np.isnan(numbers) & ~gaps,
        "infinite": infinite,
        "no probability of 0 to 1": outside if schema.task != "regression" else np.zeros_like(gaps),
    }
    for said, wrong in checks.items():
        if wrong.any():
            first = int(wrong.argmax())
            example = f"{column.iloc[first]!s} of {identifier} '{column.index[first]}'"
            yield f"column '{column.name}': {counted(int(wrong.sum()), 'cell')} {said}, such as {example}"
