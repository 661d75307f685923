"""The schema: what each column of the training table is, inferred from the whole table and correctable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.config.models import DataConfig
from workbench.data import cells
from workbench.data.conform import ColumnFault, as_series, check_plain, conform, each_column, read_column
from workbench.data.labels import class_labels, infer_task
from workbench.errors import DataError, nearest
from workbench.types import Column, ColumnKind, Needs, Schema, Task

__all__ = ["conform", "describe_column", "infer_kind", "infer_schema", "readable_kind"]

ORIGIN = "training table"
TEXT_SHARE = 0.9
"""Text whose distinct values are a larger share of its cells than this is free text or a name: nothing to learn by."""
TEXT_ROWS = 50
"""In smaller columns a large share of distinct values shows nothing."""
NUMBER_SHARE = 0.9
"""From this share of numbers among the cells on, a column of text was probably meant to be numbers."""
IDENTIFIER = re.compile(r"id|ID|Id|index|Unnamed: \d+|row_?(id|ID|number)|.*(_id|_ID|[a-z]Id|[a-z]ID)")
"""Names of columns that identify rows, if their values are distinct as well."""


@dataclass(frozen=True)
class _Finding:
    """A column, and why it is ignored or what is doubtful about it."""

    column: Column
    reason: str = ""


def infer_schema(
    train: pd.DataFrame, config: DataConfig, *, task: Task | None, metric_needs: Needs, hidden: Collection[str] = ()
) -> tuple[Schema, tuple[str, ...]]:
    """Infer the schema of a training table; return it with notices for the user.

    Kinds: ``boolean`` (booleans, or text true/false/yes/no; numbers 0 and 1 stay numeric), ``numeric`` (numbers, or
    text of which every cell is a number), ``datetime`` (dates, or text in ISO 8601), ``categorical`` (other text) and
    ``ignored`` (constant or empty columns, free text, identifiers, the group, the weight, and what ``config.drop``
    names). ``config.columns`` corrects them. Ignored columns keep what their cells are, for feature sets; not so the
    weight and ``hidden`` columns, which nobody sees. The target has to be there (see `workbench.data.checks`); the
    table needs rows.

    Raises:
        DataError: ``config`` names an unknown column, a correction does not fit a column's cells, target, metric and
            task do not fit together, or no feature is left.
    """
    train = train.rename(columns=str)
    _check_config(train, config)
    roles: dict[str | None, str] = {config.id: "id", config.group: "group", config.weight: "weight"}
    roles |= dict.fromkeys(hidden, "fold")
    found = each_column(
        (name for name in train.columns if name != config.target),
        lambda name: _find(
            train[name],
            name,
            "ignored" if name in config.drop else config.columns.get(name),
            roles.get(name),
            hidden=name in hidden,
        ),
        origin=ORIGIN,
    )
    findings = list(found.values())
    if all(finding.column.kind == "ignored" for finding in findings):
        raise DataError(f"no feature column is left: {'; '.join(_notices(findings)) or 'the table has only a target'}")
    target = train[config.target]
    inferred = infer_task(target, task=task, metric_needs=metric_needs)
    schema = Schema(
        columns=tuple(finding.column for finding in findings),
        target=config.target,
        task=inferred,
        id=config.id,
        classes=() if inferred == "regression" else class_labels(target, positive=config.positive),
        rows=len(train),
    )
    return schema, tuple(_notices(findings))


def infer_kind(column: pd.Series[Any]) -> ColumnKind:
    """Return the kind that a column's type and cells speak for, regardless of what there is to learn from it."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    values = [value for value in cells.factorize(column)[1] if not cells.is_blank(value)]
    if all(cells.is_boolean_word(value) for value in values):
        return "boolean"
    if all(cells.number(value) is not None for value in values):
        return "numeric"
    return "datetime" if all(cells.is_date(value) for value in values) else "categorical"


def _check_config(train: pd.DataFrame, config: DataConfig) -> None:
    names = list(train.columns)
    for key, wanted in (("data.columns", config.columns), ("data.drop", config.drop)):
        for name in wanted:
            if name not in names:
                raise DataError(
                    f"{key} names '{name}', but the training table has no such column.{nearest(name, names)}"
                )
            if name == config.target:
                raise DataError(f"{key} names the target '{name}'; set task to say what the target is")
    if config.id is not None and config.id in config.columns:
        raise DataError(f"data.columns names the id '{config.id}', which models never see; remove it from one of them")


def describe_column(column: pd.Series[Any], name: str, kind: ColumnKind) -> Column:
    """Return what a schema says of a column of a kind; ``ignored`` where there is nothing to learn from it.

    Raises:
        DataError: the cells cannot be read as that kind.
    """
    cleaned = _cleaned(column, name, kind)
    if _useless(column, cleaned, name, kind):
        return Column(name=name, kind="ignored", cells=kind)
    return _described(cleaned, name, kind)


def _find(
    column: pd.Series[Any], name: str, corrected: ColumnKind | None, role: str | None, *, hidden: bool
) -> _Finding:
    if role is not None and (hidden or corrected is None):
        seen = role in ("id", "group")
        ignored = Column(name=name, kind="ignored", cells=readable_kind(column, name) if seen else None)
        return _Finding(ignored, f"not shown to models as it is the {role}")
    if corrected == "ignored":
        return _Finding(Column(name=name, kind="ignored", cells=readable_kind(column, name)))
    if corrected is not None:
        return _Finding(_described(_cleaned(column, name, corrected), name, corrected))
    check_plain(column, name)
    kind = infer_kind(column)
    cleaned = _cleaned(column, name, kind)
    reason = _useless(column, cleaned, name, kind)
    if reason:
        return _Finding(Column(name=name, kind="ignored", cells=kind), reason)
    doubt = _doubt(column) if kind == "categorical" and not isinstance(column.dtype, pd.CategoricalDtype) else ""
    return _Finding(_described(cleaned, name, kind), doubt)


def readable_kind(column: pd.Series[Any], name: str) -> ColumnKind | None:
    """Return what a column's cells are; ``None`` for what no kind can hold."""
    try:
        check_plain(column, name)
    except ColumnFault:
        return None
    return infer_kind(column)


def _cleaned(column: pd.Series[Any], name: str, kind: ColumnKind) -> pd.Series[Any]:
    return pd.Series(as_series(read_column(column, kind, name)))


def _described(cleaned: pd.Series[Any], name: str, kind: ColumnKind) -> Column:
    size = int(cleaned.nunique()) if kind == "categorical" else 0
    return Column(name=name, kind=kind, size=size, missing=bool(cleaned.isna().any()))


def _useless(column: pd.Series[Any], cleaned: pd.Series[Any], name: str, kind: ColumnKind) -> str:
    """Say why there is nothing to learn from a column, or return an empty text."""
    present = cleaned.dropna()
    if present.empty:
        return "ignored as every cell is empty"
    if len(present) == len(cleaned) and (present == present.iloc[0]).all():
        return "ignored as every cell is the same"
    if kind == "categorical" and len(present) > TEXT_ROWS and present.nunique() > TEXT_SHARE * len(present):
        return "ignored as nearly every text is different"
    if IDENTIFIER.fullmatch(name) and len(cleaned) > 1 and _identifies(column, cleaned, kind):
        return "ignored as name and values look like a row's identifier (data.id declares it)"
    return ""


def _identifies(column: pd.Series[Any], cleaned: pd.Series[Any], kind: ColumnKind) -> bool:
    whole = kind == "numeric" and not cleaned.isna().any() and bool((cleaned % 1 == 0).all())
    return (whole or kind == "categorical") and column.is_unique


def _doubt(column: pd.Series[Any]) -> str:
    """Tell of columns that a few cells, such as ``?``, kept from being numeric."""
    codes, values = cells.factorize(column)
    is_number = [cells.number(value) is not None for value in values]
    share = pd.Series(is_number).take(codes[codes >= 0]).mean()
    if share < NUMBER_SHARE:
        return ""
    others = [repr(value) for value, fine in zip(values, is_number, strict=True) if not fine]
    return (
        f"categorical, though nearly every cell is a number; empty cells such as {', '.join(others[:3])} to change it"
    )


def _notices(findings: Iterable[_Finding]) -> Iterator[str]:
    """One line for each reason: a thousand constant columns are one notice."""
    by_reason: dict[str, list[str]] = {}
    for finding in findings:
        if finding.reason:
            by_reason.setdefault(finding.reason, []).append(f"'{finding.column.name}'")
    for reason, names in by_reason.items():
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        yield f"{'column' if len(names) == 1 else 'columns'} {', '.join(names[:10])}{more}: {reason}"
