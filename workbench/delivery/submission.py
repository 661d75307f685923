"""The submission: rows in the order asked for, checked before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.delivery.files import write_text
from workbench.delivery.layout import OutputLayout, layout_frame, make_layout
from workbench.delivery.ranking import class_text, ranking_findings
from workbench.errors import DataError
from workbench.metrics import Array

__all__ = [
    "OutputLayout",
    "arrange",
    "check_submission",
    "expected_ids",
    "layout_frame",
    "make_layout",
    "write_submission",
]

Ids = Sequence[Any] | Array | None
SUM_TOLERANCE = 1e-3
"""How far a row's class probabilities may be from 1 in all; single precision gives some 1e-7."""


def write_submission(
    frame: pd.DataFrame,
    path: Path,
    *,
    layout: OutputLayout,
    test_ids: Ids = None,
    sample: pd.DataFrame | None = None,
) -> Path:
    """Arrange predictions in the order asked for, check them and write them as CSV.

    ``frame`` has the layout's columns in the test table's row order, as the exported model returns it.

    Raises:
        DataError: The submission is not valid; every finding is named, and nothing is written.
    """
    arranged = arrange(frame, layout, test_ids, sample)
    check_submission(arranged, layout, test_ids, sample)
    return write_text(path, arranged.to_csv(index=False, lineterminator="\n"))


def expected_ids(
    layout: OutputLayout, test_ids: Ids, sample: pd.DataFrame | None, *, rows: int | None = None
) -> list[Any] | None:
    """Return the ids that a submission must have, in order: the sample's, else the test table's.

    A sample that shows some of the test table's rows only gives the columns; all rows are expected then. ``None``
    where there is no id column and so nothing to compare, or nobody knows the test table's rows.

    Raises:
        DataError: The sample asks for ids that the test table does not have.
    """
    if layout.id is None:
        return None
    known = list(test_ids) if test_ids is not None else (list(range(rows)) if rows is not None else None)
    if sample is None or layout.id not in sample.columns:
        return known
    asked = sample[layout.id].tolist()
    if layout.id_source is None:  # no column to join by: the n-th row is the n-th row
        return asked if known is None or len(asked) == len(known) else known
    if known is None:
        return asked
    keys, known_keys = id_keys(asked), set(id_keys(known))
    strangers = [key for key in keys if key not in known_keys]
    if strangers:
        raise DataError(
            f"the sample submission asks for {len(strangers)} ids that the test table does not have, such as "
            f"{_some(strangers)}; expected the ids of column '{layout.id_source}'"
        )
    return asked if len(asked) == len(known) else known


def arrange(
    frame: pd.DataFrame, layout: OutputLayout, test_ids: Ids = None, sample: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the rows in the order of the sample (else of the test table), joined by id.

    Rows that cannot be joined stay where they are: `check_submission` names them.
    """
    asked = expected_ids(layout, test_ids, sample, rows=len(frame))
    if asked is None or layout.id is None or layout.id not in frame.columns or len(asked) != len(frame):
        return frame
    if layout.id_source is None:
        return frame.assign(**{layout.id: asked})
    keys = id_keys(frame[layout.id])
    place = {key: index for index, key in enumerate(keys)}
    order = [place.get(key) for key in id_keys(asked)]
    if None in order or len(place) != len(keys):
        return frame
    return frame.iloc[[index for index in order if index is not None]].reset_index(drop=True)


def check_submission(
    frame: pd.DataFrame, layout: OutputLayout, test_ids: Ids = None, sample: pd.DataFrame | None = None
) -> None:
    """Check columns, ids and their order, gaps and ranges.

    Raises:
        DataError: Everything that was found, each with counts and examples.
    """
    received = tuple(str(name) for name in frame.columns)
    if received != layout.columns:
        raise DataError(f"the submission's columns are {list(received)}, expected {list(layout.columns)} in this order")
    findings = [*_id_findings(frame, layout, test_ids, sample), *_prediction_findings(frame, layout)]
    if findings:
        raise DataError("the submission is not valid: " + "; ".join(findings))


def id_keys(ids: Sequence[Any] | Array | pd.Series[Any]) -> list[str]:
    """Return ids as text by which they are compared: 7, 7.0 and "7" are one id."""
    return [str(int(v)) if isinstance(v, (float, np.floating)) and v == v // 1 else str(v).strip() for v in ids]


def _id_findings(frame: pd.DataFrame, layout: OutputLayout, test_ids: Ids, sample: pd.DataFrame | None) -> list[str]:
    count = len(test_ids) if test_ids is not None else None
    if layout.id is None:
        return [f"{len(frame)} rows, expected {count}"] if count is not None and count != len(frame) else []
    ids = frame[layout.id]
    findings = [f"{int(ids.isna().sum())} rows have no {layout.id}"] if ids.isna().any() else []
    keys = id_keys(ids.dropna())
    asked = expected_ids(layout, test_ids, sample, rows=None)
    wanted = keys if asked is None else id_keys(asked)
    repeated = [key for key, times in Counter(keys).items() if times > 1]
    lacking, strange = _without(wanted, keys), _without(keys, wanted)
    findings += [f"{len(repeated)} ids are repeated, such as {_some(repeated)}"] if repeated else []
    findings += [f"{len(lacking)} ids are lacking, such as {_some(lacking)}"] if lacking else []
    findings += [f"{len(strange)} ids were not asked for, such as {_some(strange)}"] if strange else []
    if not findings and keys != wanted:
        first = next(i for i, (left, right) in enumerate(zip(keys, wanted, strict=True)) if left != right)
        findings.append(f"ids are out of order from row {first + 1} on: {keys[first]!r}, expected {wanted[first]!r}")
    return findings


def _prediction_findings(frame: pd.DataFrame, layout: OutputLayout) -> list[str]:
    findings = [
        f"column '{name}' has {int(frame[name].isna().sum())} gaps, first in row {int(frame[name].isna().argmax()) + 1}"
        for name in layout.predictions
        if frame[name].isna().any()
    ]
    if layout.kind == "label":
        known = {class_text(value) for value in layout.classes}
        column = frame[layout.predictions[0]].dropna()
        strange = sorted({class_text(value) for value in column.tolist()} - known)
        return findings + ([f"{len(strange)} labels are not classes: {_some(strange)}"] if strange else [])
    if layout.kind == "ranking":
        return findings + ranking_findings(frame[layout.predictions[0]], layout.classes, layout.ranked)
    for name in layout.predictions:
        findings += _number_findings(frame[name], layout)
    if layout.kind == "class_probabilities" and not findings:
        total = frame[list(layout.class_columns)].sum(axis=1).to_numpy()
        wrong = np.flatnonzero(np.abs(total - 1.0) > SUM_TOLERANCE)
        if len(wrong):
            findings.append(
                f"class probabilities of {len(wrong)} rows do not sum to 1, such as {total[wrong[0]]:.6g} in row "
                f"{wrong[0] + 1}"
            )
    return findings


def _number_findings(column: pd.Series[Any], layout: OutputLayout) -> list[str]:
    if column.dtype.kind not in "iuf":
        return [f"column '{column.name}' holds {column.dtype} cells, expected numbers"]
    values = column.dropna().to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        return [f"column '{column.name}' has {int((~np.isfinite(values)).sum())} infinite cells"]
    outside = values[(values < 0.0) | (values > 1.0)]
    if layout.kind != "value" and len(outside):
        return [f"column '{column.name}' has {len(outside)} probabilities outside 0 to 1, such as {outside[0]:.6g}"]
    return []


def _without(keys: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the keys that are not among the others, in order."""
    among = set(others)
    return [key for key in keys if key not in among]


def _some(texts: Sequence[str]) -> str:
    return ", ".join(repr(text) for text in texts[:3])
