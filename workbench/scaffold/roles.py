"""Which column is the target, which identifies a row, and which nobody has when predicting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from workbench.data.schema import IDENTIFIER
from workbench.errors import DataError, nearest
from workbench.scaffold.inference import Inference
from workbench.scaffold.tables import Frames

WEIGHT = re.compile(r"((sample|case|row|instance|survey)[_ ]?)?weights?|fnlwgt", re.IGNORECASE)
FOLD = re.compile(r"k?folds?([_ ]?(id|no|number))?|cv[_ ]?folds?", re.IGNORECASE)


def roles(frames: Frames, target: str | None, id: str | None) -> Iterator[Inference]:
    """Yield the columns that have a part, given what the user said.

    Raises:
        DataError: the tables do not tell which column is the target, or there is no column as told.
    """
    chosen = _target(frames, target)
    yield chosen
    identifier = _id(frames, chosen.value, id)
    if identifier is not None:
        yield identifier
    yield from _absent_in_test(frames, chosen.value)
    yield from _by_name(frames.train, chosen.value)


def _target(frames: Frames, wanted: str | None) -> Inference:
    names = list(frames.train.columns)
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"the training table has no column '{wanted}' (--target).{nearest(wanted, names)}")
        return Inference("data.target", wanted, "as told by --target")
    for candidates, reason in _target_candidates(frames):
        if len(candidates) == 1:
            return Inference("data.target", candidates[0], reason)
        if candidates:
            raise DataError(f"several columns could be the target: {_listed(candidates)}; choose one with --target")
    why = (
        "the test table has every column of the training table"
        if frames.test is not None
        else "there is no test table that would lack it"
    )
    raise DataError(f"which column is the target? {why}; name it with --target: {_listed(names)}")


def _target_candidates(frames: Frames) -> Iterator[tuple[list[str], str]]:
    """Yield columns that could be the target, and why; the stronger evidence first."""
    names = list(frames.train.columns)
    lacking = [name for name in names if frames.test is not None and name not in frames.test.columns]
    if frames.sample is not None:
        asked = [str(name) for name in frames.sample.columns[1:]]
        yield (
            [name for name in asked if name in names and (frames.test is None or name in lacking)],
            ("the sample submission asks for it"),
        )
    yield lacking, "the only column that the test table lacks"


def _id(frames: Frames, target: str, wanted: str | None) -> Inference | None:
    if wanted is not None:
        return Inference("data.id", wanted, "as told by --id")
    shared = [name for name in frames.features_of_both if name != target]
    if frames.sample is not None:
        first = str(frames.sample.columns[0])
        if first in shared and _identifies(frames, first):
            return Inference("data.id", first, "first column of the sample submission, different in every row")
    for name in shared:
        if IDENTIFIER.fullmatch(name) and _identifies(frames, name):
            return Inference("data.id", name, "named like an identifier, different in every row")
    return None


def _identifies(frames: Frames, name: str) -> bool:
    columns = [frame[name] for frame in (frames.train, frames.test) if frame is not None]
    return all(column.is_unique and column.notna().all() and not _fractional(column) for column in columns)


def _fractional(column: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(column.dtype) and bool((column % 1 != 0).any())


def _absent_in_test(frames: Frames, target: str) -> Iterator[Inference]:
    if frames.test is not None:
        absent = [name for name in frames.train.columns if name != target and name not in frames.test.columns]
        if absent:
            yield Inference("data.drop", absent, "the test table lacks them: nobody has them when predicting")


def _by_name(train: pd.DataFrame, target: str) -> Iterator[Inference]:
    """Yield what a column's name alone suggests."""
    for name in train.columns:
        if name == target or not pd.api.types.is_numeric_dtype(train[name].dtype):
            continue
        if WEIGHT.fullmatch(name) and bool((train[name] >= 0).all()):
            yield Inference("data.weight", name, "named like a row's weight; models then no longer see it", sure=False)
        if FOLD.fullmatch(name) and train[name].nunique() <= 100:
            yield Inference("folds.column", name, "named like a fold; models then no longer see it", sure=False)


def _listed(names: Sequence[str], most: int = 20) -> str:
    """List names; of many the first and the last ones, among which targets are."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > most:
        quoted[most // 2 : -most // 2] = [f"… {len(names) - 2 * (most // 2)} more …"]
    return ", ".join(quoted)
