"""Rows that belong together, and rows that follow each other: what a random split would tear apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import cells
from workbench.data.schema import IDENTIFIER, infer_kind
from workbench.scaffold.inference import Inference
from workbench.scaffold.tables import Frames

FEWEST_GROUPS = 10
ROWS_A_GROUP = 3.0
"""From this mean on, groups that no two tables share are no accident."""
MOST_DISTINCT = 0.95
ENTITY_SHARE = 0.2
"""Text with a larger share of distinct values names things (tickets, people) rather than kinds of things."""
MOST_SUGGESTED = 3
MOST_CODES = 1000
ROWS_A_CODE = 20


def groups_and_time(frames: Frames, taken: Iterable[str]) -> Iterator[Inference]:
    """Yield ``data.time``, ``data.group`` and ``data.columns`` with their evidence; ``taken`` columns have a part."""
    free = [name for name in frames.features_of_both if name not in set(taken)]
    kinds = {name: infer_kind(frames.train[name]) for name in free}
    times = list(_times(frames, [name for name in free if kinds[name] == "datetime"]))
    yield from times
    found = [_group(frames, name) for name in free if _may_group(frames.train[name], kinds[name])]
    groups = sorted((group for group in found if group is not None), key=lambda group: not group.sure)
    ordered = any(time.sure for time in times)
    for position, group in enumerate(groups[:MOST_SUGGESTED]):
        yield Inference(group.key, group.value, group.reason, group.sure and position == 0 and not ordered)
    corrections = {
        name: "categorical" for name in free if kinds[name] == "numeric" and _is_code(name, frames.train[name])
    }
    chosen = {group.value for group in groups if group.sure}
    if codes := {name: kind for name, kind in corrections.items() if name not in chosen}:
        yield Inference("data.columns", codes, "named like identifiers of something that recurs; their order is chance")


def _times(frames: Frames, names: list[str]) -> Iterator[Inference]:
    for name in names:
        train = pd.Series(_datetimes(frames.train[name]))
        test = None if frames.test is None else pd.Series(_datetimes(frames.test[name])).dropna()
        if train.isna().any():
            continue
        if test is not None and len(test) and test.min() >= train.max():
            yield Inference(
                "data.time", name, f"every test row ({test.min():%Y-%m-%d} on) is later than the training rows"
            )
        elif test is not None and len(test) and train.min() < test.min() < train.max():
            reason = f"train and test lie in the same period, {train.min():%Y-%m-%d} to {train.max():%Y-%m-%d}"
            yield Inference("data.time", name, f"{reason}: only if later rows are to be predicted", sure=False)
        elif train.is_monotonic_increasing:
            yield Inference("data.time", name, "the rows are sorted by it; set it if later rows are to come", False)


def _datetimes(column: pd.Series[Any]) -> Any:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return pd.to_datetime(column, utc=True).dt.tz_localize(None).to_numpy()
    codes, values = cells.factorize(column)
    return np.append(cells.datetimes(values), np.datetime64("NaT", "us"))[codes]


def _may_group(column: pd.Series[Any], kind: str) -> bool:
    if kind == "numeric":
        return not pd.api.types.is_float_dtype(column.dtype)
    return kind == "categorical"


def _group(frames: Frames, name: str) -> Inference | None:
    column = frames.train[name]
    present = column.dropna()
    distinct = present.nunique()
    if not FEWEST_GROUPS <= distinct <= MOST_DISTINCT * len(present):
        return None
    size = len(present) / distinct
    named = IDENTIFIER.fullmatch(name) is not None
    text = not pd.api.types.is_numeric_dtype(column.dtype)
    told = f"{distinct:,} values, {size:.1f} rows each"
    if frames.test is not None and _disjoint(present, frames.test[name].dropna(), anyhow=named or text):
        sure = len(present) == len(column) and size >= ROWS_A_GROUP
        return Inference("data.group", name, f"{told}; train and test share none of them", sure)
    if named or (text and distinct > ENTITY_SHARE * len(present)):
        return Inference("data.group", name, f"{told}; if rows of one value are alike, keep them together", sure=False)
    return None


def _disjoint(train: pd.Series[Any], test: pd.Series[Any], *, anyhow: bool) -> bool:
    """Say whether tables share no value; numbers must lie among each other, or they are an order and no names."""
    if test.nunique() < FEWEST_GROUPS or train.isin(test.unique()).any():
        return False
    return anyhow or bool(test.min() < train.max() and test.max() > train.min())


def _is_code(name: str, column: pd.Series[Any]) -> bool:
    """Say whether whole numbers are names: ``store_id`` 7 is not more than 6."""
    distinct = column.nunique()
    few = 2 < distinct <= min(MOST_CODES, len(column) / ROWS_A_CODE)
    return few and IDENTIFIER.fullmatch(name) is not None and not pd.api.types.is_float_dtype(column.dtype)
