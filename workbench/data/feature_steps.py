"""Running feature sets: each step's answer is checked, and its columns get the types that they had in training."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from workbench.data import cells
from workbench.data.conform import check_plain, each_column, read_column
from workbench.data.features import FeatureStep
from workbench.data.schema import infer_kind
from workbench.errors import DataError, FactoryError, nearest
from workbench.types import ColumnKind

Value = TypeVar("Value")
Kinds = Mapping[str, ColumnKind]
"""What the cells of each column are: never ``ignored``."""


@dataclass(frozen=True)
class FeatureChain:
    """The steps of a feature set, and what each one's columns are in the whole training table."""

    steps: tuple[FeatureStep, ...]
    kinds: tuple[Kinds, ...]

    @property
    def row_steps(self) -> int:
        """How many steps lie before the first one that is fitted."""
        return next((i for i, step in enumerate(self.steps) if step.scope == "fold"), len(self.steps))

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a table after the steps that lie before the first one that is fitted."""
        return self.transform(frame, [None] * self.row_steps)

    def fit(self, frame: pd.DataFrame, y: pd.Series[Any]) -> tuple[tuple[Any, ...], pd.DataFrame]:
        """Fit what is left after `rows`: return each step's transformer (``None`` for row steps), and the table."""
        fitted: list[Any] = [None] * self.row_steps
        for step, kinds in self._after(self.row_steps):
            transformer, frame = fit_step(step, frame, y, kinds)
            fitted.append(transformer)
        return tuple(fitted), frame

    def transform(self, frame: pd.DataFrame, fitted: Sequence[Any], *, start: int = 0) -> pd.DataFrame:
        """Return a table after the steps ``start`` to ``len(fitted)``; ``fitted`` holds each one's transformer."""
        for (step, kinds), transformer in zip(self._after(start), fitted[start:], strict=False):
            frame = run_step(step, transformer, frame, kinds)
        return frame

    def _after(self, start: int) -> list[tuple[FeatureStep, Kinds]]:
        return list(zip(self.steps[start:], self.kinds[start:], strict=True))


@dataclass(frozen=True)
class Recorded:
    """A chain that has run on the whole training table."""

    chain: FeatureChain
    rows: pd.DataFrame
    """The table after the steps that lie before the first one that is fitted."""
    last: pd.DataFrame
    """The table after all steps."""


def record(steps: Sequence[FeatureStep], frame: pd.DataFrame, y: pd.Series[Any], kinds: Kinds) -> Recorded:
    """Run a chain on the whole training table, and note what each step's columns are.

    Of what is fitted here only names and kinds are kept: they are the same in every fold, as the schema is. ``kinds``
    are those of the table's own columns.
    """
    found: list[Kinds] = []
    rows = frame
    for step in steps:
        answer = called(step, step.made, frame) if step.scope == "row" else _fitted(step, frame, y)[1]
        kinds = _kinds(answer, frame, kinds, step)
        found.append(kinds)
        frame = typed_table(answer, kinds, step)
        if all(earlier.scope == "row" for earlier in steps[: len(found)]):
            rows = frame
    return Recorded(FeatureChain(tuple(steps), tuple(found)), rows, frame)


def run_step(step: FeatureStep, transformer: Any, frame: pd.DataFrame, kinds: Kinds) -> pd.DataFrame:
    """Return a table after a step; ``transformer`` is what was fitted, ``None`` for a row step.

    Raises:
        FactoryError: the step raised, or its answer is not a table of the same rows with the columns of ``kinds``.
    """
    call = step.made if transformer is None else transformer.transform
    return typed_table(called(step, call, frame), kinds, step)


def fit_step(step: FeatureStep, frame: pd.DataFrame, y: pd.Series[Any], kinds: Kinds) -> tuple[Any, pd.DataFrame]:
    """Return a transformer fitted on a table, or ``None`` for a row step, and the table after the step."""
    if step.scope == "row":
        return None, run_step(step, None, frame, kinds)
    transformer, answer = _fitted(step, frame, y)
    return transformer, typed_table(answer, kinds, step)


def new_transformer(step: FeatureStep) -> Any:
    """Return an unfitted transformer of a fold step.

    Raises:
        FactoryError: the class needs arguments, or there is no ``transform``.
    """
    transformer = guarded(step, step.made)
    fits = any(callable(getattr(transformer, name, None)) for name in ("fit_transform", "fit"))
    if not fits or not callable(getattr(transformer, "transform", None)):
        raise FactoryError(
            f"feature set '{step.name}': expected a transformer with fit_transform(frame, y) and transform(frame), got "
            f"{type(transformer).__name__}"
        )
    if hasattr(transformer, "set_output"):
        transformer.set_output(transform="pandas")
    return transformer


def _fitted(step: FeatureStep, frame: pd.DataFrame, y: pd.Series[Any]) -> tuple[Any, pd.DataFrame]:
    transformer = new_transformer(step)
    y = y.copy()
    if callable(getattr(transformer, "fit_transform", None)):
        return transformer, called(step, lambda table: transformer.fit_transform(table, y), frame)
    guarded(step, lambda: transformer.fit(frame.copy(deep=False), y))
    return transformer, called(step, transformer.transform, frame)


def called(step: FeatureStep, call: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Call a step on a copy of a table, and return its answer, whose rows are those of the table."""
    answer = guarded(step, lambda: call(frame.copy(deep=False)), frame)
    if not isinstance(answer, pd.DataFrame):
        hint = "; add 'return frame' at its end" if answer is None else ""
        raise FactoryError(f"feature set '{step.name}': expected a pandas DataFrame, got {type(answer).__name__}{hint}")
    if len(answer) != len(frame):
        raise FactoryError(
            f"feature set '{step.name}': got {len(frame)} rows and returned {len(answer)}; every row must be kept, as "
            "each is trained on or predicted"
        )
    if not answer.index.equals(frame.index):
        raise FactoryError(
            f"feature set '{step.name}': the rows came back in another order or under another index; keep the order "
            "and the index of the table that it is given"
        )
    names = [*answer.columns]
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or not names:
        got = f"the column name {wrong[0]!r}" if wrong else "a table without columns"
        raise FactoryError(f"feature set '{step.name}': expected columns with text as their names, got {got}")
    if not answer.columns.is_unique:
        repeated = answer.columns[answer.columns.duplicated()][0]
        raise FactoryError(f"feature set '{step.name}': two columns are called '{repeated}'; rename one of them")
    return answer


def guarded(step: FeatureStep, call: Callable[[], Any], frame: pd.DataFrame | None = None) -> Any:
    """Call a user's code; what it raises becomes a `FactoryError` that says where."""
    try:
        return call()
    except (FactoryError, MemoryError):
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}{_column_hint(error, frame)}"
        raise FactoryError(f"feature set '{step.name}'{_line(step, error)}: {told}") from error


def _line(step: FeatureStep, error: Exception) -> str:
    """Name the last line of the user's file that took part in an error."""
    file = getattr(sys.modules.get(step.made.__module__), "__file__", None)
    entries = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == file]
    return f", {Path(entries[-1].filename).name} line {entries[-1].lineno}" if entries else ""


def _column_hint(error: Exception, frame: pd.DataFrame | None) -> str:
    if frame is None or not isinstance(error, KeyError) or len(error.args) != 1 or error.args[0] in frame.columns:
        return ""
    names = [str(name) for name in frame.columns]
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f".{nearest(str(error.args[0]), names)} The table has: {listed}"


def typed_table(answer: pd.DataFrame, kinds: Kinds, step: FeatureStep) -> pd.DataFrame:
    """Return a step's answer with the columns of ``kinds``, in that order and typed; infinities are missing.

    Raises:
        FactoryError: a column is lacking, there is one more, or its cells are not what they were in training.
    """
    lacking, further = [n for n in kinds if n not in answer], [n for n in answer if n not in kinds]
    if lacking or further:
        what = f"lacks column '{lacking[0]}'" if lacking else f"has the further column '{further[0]}'"
        raise FactoryError(
            f"feature set '{step.name}': its answer {what}, compared with that for the whole training table; it must "
            "give the same columns whatever the rows"
        )
    columns = _each(kinds, lambda name: raw_typed(_finite(answer[name]), kinds[name], name), step)
    return pd.DataFrame(columns, index=answer.index)


def raw_typed(column: pd.Series[Any], kind: ColumnKind, name: str) -> pd.Series[Any]:
    """Return a column as feature sets see it; see `workbench.data.raw_columns.raw_frame`.

    Raises:
        DataError: its cells cannot be read as that kind.
    """
    values = read_column(column, kind, name)
    if kind == "boolean":
        return pd.Series(pd.arrays.BooleanArray(values == 1.0, np.isnan(values)), index=column.index)
    return pd.Series(values, index=column.index, dtype=object if values.dtype == object else None)


def _finite(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.dtype.kind == "f" or column.dtype == object:
        return column.replace([np.inf, -np.inf], np.nan)
    return column


def _kinds(answer: pd.DataFrame, before: pd.DataFrame, kinds: Kinds, step: FeatureStep) -> Kinds:
    """Return what each column of an answer is; a column that came back untouched is what it was."""

    def kind(name: str) -> ColumnKind:
        if name in kinds and answer[name].equals(before[name]):
            return kinds[name]
        check_plain(answer[name], name)
        return _kind(_finite(answer[name]), kinds.get(name))

    return _each(answer.columns, kind, step)


def _each(names: Iterable[str], read: Callable[[str], Value], step: FeatureStep) -> dict[str, Value]:
    """Return what ``read`` gives for each column of a step's answer."""
    try:
        return each_column(names, read, origin=f"feature set '{step.name}'")
    except DataError as error:
        raise FactoryError(str(error)) from error


def _kind(column: pd.Series[Any], before: ColumnKind | None) -> ColumnKind:
    """Infer as for the training table; text in the place of a category stays one, whatever it looks like."""
    textual = column.dtype == object or isinstance(column.dtype, (pd.StringDtype, pd.CategoricalDtype))
    if textual and (before == "categorical" or all(cells.is_blank(cell) for cell in column.dropna())):
        return "categorical"
    return infer_kind(column)
