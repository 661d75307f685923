"""A line for each column of the training table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from workbench.data import Dataset
from workbench.scaffold.inference import Finding, Inference
from workbench.scaffold.strength import NAMES
from workbench.scaffold.yaml_lines import printable
from workbench.types import ColumnKind

KINDS = get_args(ColumnKind)
STRONGEST = 5
FEW = 20
"""Whole numbers from 1 up with no more distinct values may be codes; counts begin at 0."""
SHORT = 20


@dataclass(frozen=True)
class ColumnSummary:
    """A column as the summary shows it; ``missing`` is a share, ``distinct`` leaves the missing out."""

    name: str
    kind: str
    missing: float
    distinct: int
    example: str
    note: str = ""

    @property
    def telling(self) -> bool:
        """Say whether there is something to say of the column: a note, or a part that it has."""
        return bool(self.note) or self.kind not in KINDS

    @property
    def missing_text(self) -> str:
        """The missing share as people write it; empty if nothing is missing."""
        if 0 < self.missing < 0.01:
            return "<1%"
        return f"{self.missing:.0%}" if self.missing else ""


def summarize(
    train: pd.DataFrame,
    data: Dataset,
    inferences: Sequence[Inference],
    findings: Sequence[Finding],
    strengths: Mapping[str, float],
) -> tuple[ColumnSummary, ...]:
    """Return the columns in the table's order."""
    kinds = {column.name: str(column.kind) for column in data.schema.columns}
    roles = {str(i.value): i.key.removeprefix("data.") for i in inferences if i.sure and isinstance(i.value, str)}
    dropped = next((i.value for i in inferences if i.key == "data.drop"), ())
    strongest = list(strengths)[:STRONGEST]
    summaries = []
    for name in train.columns:
        kind = "dropped" if name in dropped else roles.get(name, kinds.get(name, ""))
        notes = [finding.mark for finding in findings if finding.mark and name in finding.columns]
        if name in strongest:
            notes.append(f"{NAMES[data.schema.task]} {strengths[name]:.2f} alone")
        if kind == "numeric" and _may_be_codes(train[name]):
            notes.append("codes?")
        summaries.append(_summary(train[name], name, kind, ", ".join(notes)))
    return tuple(summaries)


def _summary(column: pd.Series[Any], name: str, kind: str, note: str) -> ColumnSummary:
    present = column.dropna()
    example = "" if present.empty else _shown(present.iloc[0])
    shown = example if len(example) <= SHORT else example[: SHORT - 1] + "…"
    return ColumnSummary(name, kind, float(column.isna().mean()), _distinct(present), shown, note)


def _distinct(present: pd.Series[Any]) -> int:
    """Count the distinct cells; those of a column that models do not see may be lists."""
    try:
        return int(present.nunique())
    except TypeError:
        return int(present.map(str).nunique())


def _shown(cell: Any) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else printable(str(cell))


def _may_be_codes(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_integer_dtype(column.dtype) and column.min() >= 1 and 2 < column.nunique() <= FEW)
