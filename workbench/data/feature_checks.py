"""Leaks of feature sets, found before anything is searched: a row must not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import cells
from workbench.data.feature_steps import FeatureChain, Kinds, fit_step, run_step
from workbench.data.features import FeatureStep
from workbench.errors import FactoryError

Rows = NDArray[np.intp]
MOST_ROWS = 1000
"""At most so many rows are transformed again, in another order and without the others."""
ALONE = 5
"""So many rows are transformed one by one, beside one with a gap of each of the first `GAPS` columns that have any."""
GAPS = 20
EXTREMES = 20
"""Columns of an answer, new and changed ones first, whose rows of least, greatest and rarest value are tried too."""
TOLERANCE = 1e-9
"""Relative difference that sums in another order may leave."""

_ADVICE = {
    "row": "a function of the table must treat each row alone, without chance, or validation rows leak into training; "
    "what is learnt from other rows belongs into a class with fit_transform(frame, y) and transform(frame)",
    "fold": "transform must use what fit_transform has learnt and the row itself, nothing of the other rows",
}


def check_chain(chain: FeatureChain, frame: pd.DataFrame, y: pd.Series[Any], train: Rows, rest: Rows) -> None:
    """Check every step of a chain on the training table.

    Steps before the first one that is fitted are checked on all rows; the others are fitted on ``train`` and checked on
    ``rest``.

    Raises:
        FactoryError: a row's features depend on the rows beside it; the message names set, column, row and values.
    """
    pairs = list(zip(chain.steps, chain.kinds, strict=True))
    for step, kinds in pairs[: chain.row_steps]:
        frame = _checked(step, None, kinds, frame)
    fitting, frame = frame.iloc[train].reset_index(drop=True), frame.iloc[rest].reset_index(drop=True)
    y = y.iloc[train].reset_index(drop=True)
    for step, kinds in pairs[chain.row_steps :]:
        transformer, fitting = fit_step(step, fitting, y, kinds)
        frame = _checked(step, transformer, kinds, frame)


def _checked(step: FeatureStep, transformer: Any, kinds: Kinds, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table after a step of which every row is the same among other rows and alone."""
    whole = run_step(step, transformer, table, kinds)
    _check_rows(step, table, whole, lambda part: run_step(step, transformer, part, kinds))
    return whole


def _check_rows(
    step: FeatureStep, table: pd.DataFrame, whole: pd.DataFrame, run: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    rng = np.random.default_rng(0)
    notable = np.union1d(_rows_with_gaps(table), _extreme_rows(table, whole))
    some = rng.permutation(len(table))[: min(MOST_ROWS, max(1, len(table) // 2))]
    sample = rng.permutation(np.union1d(some, notable))
    _compare(step, whole, run, table, sample, "among other rows, in another order")
    for row in np.union1d(some[:ALONE], notable):
        _compare(step, whole, run, table, np.array([row]), "where the row is alone")


def _rows_with_gaps(table: pd.DataFrame) -> Rows:
    """Return the first row with a gap of each column: what fills gaps with a table's mean shows only there."""
    missing = [np.flatnonzero(table[name].isna().to_numpy())[:1] for name in table]
    return np.unique(np.concatenate([rows for rows in missing if len(rows)][:GAPS] or [np.empty(0, dtype=np.intp)]))


def _extreme_rows(table: pd.DataFrame, whole: pd.DataFrame) -> Rows:
    """Return the first rows of extreme values of an answer: what marks the few above a quantile shows only there."""
    names = sorted(whole, key=lambda name: name in table and whole[name].equals(table[name]))[:EXTREMES]
    found: set[int] = set()
    for name in names:
        codes, values = pd.factorize(whole[name], sort=whole[name].dtype != object)
        if len(values):
            rarest = int(np.bincount(codes[codes >= 0]).argmin())
            found |= {int(np.argmax(codes == code)) for code in (0, len(values) - 1, rarest)}
    return np.array(sorted(found), dtype=np.intp)


def _compare(
    step: FeatureStep,
    whole: pd.DataFrame,
    run: Callable[[pd.DataFrame], pd.DataFrame],
    table: pd.DataFrame,
    rows: Rows,
    where: str,
) -> None:
    try:
        again = run(table.iloc[rows].reset_index(drop=True))
    except FactoryError as error:
        raise FactoryError(f"{error} (with {len(rows)} of {len(table)} rows; the whole table went well)") from error
    for name in whole:
        expected = whole[name].iloc[rows].reset_index(drop=True)
        different = np.flatnonzero(_different(expected, again[name]))
        if len(different):
            at = int(different[0])
            raise FactoryError(
                f"feature set '{step.name}': column '{name}' of row {int(rows[at]) + 1} is "
                f"{_shown(expected.iloc[at])} in the whole table, but {_shown(again[name].iloc[at])} {where}: "
                f"{_ADVICE[step.scope]}"
            )


def _different(left: pd.Series[Any], right: pd.Series[Any]) -> NDArray[np.bool_]:
    if left.dtype.kind == "f":
        equal = np.isclose(left, right, rtol=TOLERANCE, atol=TOLERANCE**2, equal_nan=True)
        return np.asarray(~equal)
    gaps = left.isna().to_numpy() | right.isna().to_numpy()
    both = left.isna().to_numpy() & right.isna().to_numpy()
    unequal = np.zeros(len(left), dtype=bool)  # pandas' NA compares with nothing, so gaps are left out
    unequal[~gaps] = left.to_numpy(dtype=object)[~gaps] != right.to_numpy(dtype=object)[~gaps]
    return np.where(gaps, ~both, unequal)


def _shown(cell: Any) -> str:
    return "missing" if pd.isna(cell) else cells.shown(cell)
