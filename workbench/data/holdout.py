"""Rows set aside: they leave the training table, and follow the test table's own, where models only predict them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import ExperimentConfig
from workbench.data.content import array_digest
from workbench.data.dataset import Dataset
from workbench.data.holdout_rows import group_rows, latest_rows, random_rows, way
from workbench.data.planning import ONLY_TRAINED
from workbench.data.rows import widened
from workbench.errors import DataError
from workbench.types import fingerprint

Array = NDArray[Any]
FEWEST = 10
"""A score of fewer rows says nothing."""


def set_aside(dataset: Dataset, config: ExperimentConfig) -> Dataset:
    """Return a data set without the rows that ``holdout`` sets aside, which its test table has behind its own rows.

    They come from the training table's own rows; those that no fold is to validate stay. Extra rows that would give
    them away (of their groups, or not before them in time) are left out. Kinds of columns and classes are those of the
    whole table; the sizes that preparations are bounded by are taken anew.

    Raises:
        DataError: too few rows are set aside or left, or they cannot be scored.
    """
    if not config.holdout.share:
        return dataset
    held, kept = _chosen(dataset, config)
    extra = _harmless(dataset, held, kept)
    _check(dataset, held, kept, config)
    stay = np.r_[np.flatnonzero(kept), dataset.own_rows + np.flatnonzero(extra)]
    gone = np.flatnonzero(held)
    features = _taken(dataset.features, stay)
    schema = widened(dataset.schema, features)
    digest = array_digest(np.r_[held, kept, extra])
    return replace(
        dataset,
        schema=schema,
        features=features,
        y=dataset.y[stay],
        weight=_of(dataset.weight, stay),
        group=_of(dataset.group, stay),
        ids=_of(dataset.ids, np.flatnonzero(kept)),
        test=_behind(dataset.test, _taken(dataset.features, gone)),
        others=_taken(dataset.others, stay),
        test_others=_behind(dataset.test_others, _taken(dataset.others, gone)),
        extra=int(extra.sum()),
        key=fingerprint("remaining", dataset.key, digest),
        test_key=fingerprint("holdout", dataset.test_key, dataset.key, digest),
        notices=(*dataset.notices, *_notices(dataset, held, kept, extra)),
        planning=dataset.planning.of_rows(np.flatnonzero(kept), extra),
        holdout_y=dataset.y[gone],
        holdout_weight=_of(dataset.weight, gone),
        holdout_ids=gone if dataset.ids is None else dataset.ids[gone],
    )


def _chosen(dataset: Dataset, config: ExperimentConfig) -> tuple[Array, Array]:
    """Return masks of the own rows ``(rows,)``: those set aside, and those left to train on."""
    own, holdout, fold = dataset.own_rows, config.holdout, dataset.planning.fold
    time, regression = dataset.planning.time, dataset.schema.task == "regression"
    y, group = dataset.y[:own], None if dataset.group is None else dataset.group[:own]
    may = np.ones(own, dtype=bool) if fold is None else fold != ONLY_TRAINED
    by = way(holdout, time, group)
    if by == "time" and time is not None:
        return latest_rows(time, may, holdout.share, config.folds.gap)
    if by == "group" and group is not None:
        held = group_rows(y, group, may, holdout.share, holdout.seed, regression=regression)
    else:
        held = random_rows(y, may, holdout.share, holdout.seed, regression=regression)
    return held, ~held


def _harmless(dataset: Dataset, held: Array, kept: Array) -> Array:
    """Return a mask of the extra rows ``(rows,)`` that say nothing of those set aside, as in `workbench.data.folds`."""
    own, planning = dataset.own_rows, dataset.planning
    harmless = np.ones(dataset.extra, dtype=bool)
    if dataset.group is not None:
        harmless &= ~np.isin(dataset.group[own:], dataset.group[:own][held])
    if planning.time is not None and planning.extra_time is not None and held.any():
        start = planning.time[held].min()
        if kept.any() and (planning.time[kept] < start).all():
            harmless &= planning.extra_time < start
    return harmless


def _check(dataset: Dataset, held: Array, kept: Array, config: ExperimentConfig) -> None:
    """Raise `DataError` where the rows set aside cannot be scored, or those left cannot teach it."""
    own, share = dataset.own_rows, f"holdout.share {config.holdout.share:g}"
    y, count = dataset.y[:own], int(held.sum())
    if count < FEWEST:
        raise DataError(
            f"{share} sets {count} of {own} rows aside, expected at least {FEWEST}; set a larger share, or 0 for none"
        )
    if dataset.schema.task != "regression":
        _check_classes(dataset, y[held], y[kept], share)
    if dataset.weight is not None and not dataset.weight[:own][held].any():
        raise DataError(f"{share}: the weights of the {count} rows set aside are all 0; set another holdout.seed")
    if dataset.group is not None:
        torn = np.intersect1d(dataset.group[:own][held], dataset.group[:own][kept])
        if len(torn):
            raise DataError(
                f"{share} sets rows aside of {len(torn)} groups of which others are trained on, but data.group must "
                "not be split; set holdout.by to 'group'"
            )


def _check_classes(dataset: Dataset, held: Array, kept: Array, share: str) -> None:
    """Raise `DataError` where codes set aside ``(rows,)`` are of one class, or of one that is not among the others."""
    remedy = "set another share, holdout.seed or holdout.by"
    unknown = np.setdiff1d(held, kept)
    if len(unknown):
        named = _named(dataset, unknown)
        raise DataError(f"{share} sets all rows of class {named} aside, so that no model can learn it; {remedy}")
    if len(np.unique(held)) < 2:
        named = _named(dataset, np.unique(held))
        raise DataError(f"{share} sets rows of one class alone aside, {named}: they say nothing; {remedy}")


def _notices(dataset: Dataset, held: Array, kept: Array, extra: Array) -> Iterator[str]:
    own, lost = dataset.own_rows, len(extra) - int(extra.sum())
    count = int(held.sum())
    yield f"{count} of {own} rows are set aside as holdout: nothing sees them until the blend is scored"
    left_out = own - count - int(kept.sum())
    if left_out:
        yield f"{left_out} rows between training and holdout are left out (folds.gap, or rows that no fold validates)"
    if lost:
        yield f"{lost} extra rows are left out: they are of the holdout's groups, or not before it in time"
    if dataset.schema.task == "multiclass":
        absent = np.setdiff1d(dataset.y[:own], dataset.y[:own][held])
        if len(absent):
            yield f"the holdout has no row of class {_named(dataset, absent)}"


def _named(dataset: Dataset, codes: Array) -> str:
    shown = ", ".join(repr(dataset.schema.classes[int(code)]) for code in codes[:10])
    return shown if len(codes) <= 10 else f"{shown} and {len(codes) - 10} more"


def _taken(frame: pd.DataFrame, rows: Array) -> pd.DataFrame:
    return frame.iloc[rows].reset_index(drop=True)


def _behind(test: pd.DataFrame | None, held: pd.DataFrame) -> pd.DataFrame:
    return held if test is None else pd.concat([test, held], ignore_index=True)


def _of(values: Array | None, rows: Array) -> Array | None:
    return None if values is None else values[rows]
