"""Somebody's predictions on one's own rows: the validated rows of each split, the test table, the rows set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.errors import ConfigError, DataError
from workbench.exchange.given import Given, some
from workbench.exchange.given_folds import check_folds
from workbench.metrics import Array
from workbench.wording import counted


@dataclass(frozen=True, eq=False)
class Joined:
    """Predictions as the vault holds them, and what a person should know of them."""

    oof: tuple[Array, ...]
    """Of each split's validated rows in plan order, ``(rows, outputs)``."""
    test: Array | None
    """``(rows, outputs)``: the test table's own rows, then those set aside, NaN where nothing was given of these."""
    notices: tuple[str, ...]


def join(dataset: Dataset, plan: FoldPlan, oof: Given, test: Given | None) -> Joined:
    """Find each row that the plan validates, and each to predict, by its id.

    Raises:
        ConfigError: there are predictions of a test table, and the experiment has none.
        DataError: rows are lacking or unknown, folds are other ones, or predictions cannot be used.
    """
    notices = list(_strangers(dataset, plan, oof))
    validated = _validated(plan)
    rows = oof.rows_of(row_ids(dataset)[validated], "rows that your folds validate")
    if said := check_folds(oof, plan, validated, rows):
        notices.append(said)
    everywhere = np.full((plan.rows, dataset.schema.outputs), np.nan)
    everywhere[validated] = oof.predictions(rows)
    if plan.repeats > 1:
        notices.append(f"one prediction a row stands for each of your {plan.repeats} repeats")
    if dataset.schema.task != "regression" and np.isin(everywhere[validated], (0.0, 1.0)).all():
        notices.append("all its predictions are 0 or 1: labels, it seems; probabilities blend better")
    tested = _tested(dataset, oof, test, notices)
    return Joined(tuple(everywhere[plan.validate(split)] for split in range(plan.splits)), tested, tuple(notices))


def row_ids(dataset: Dataset) -> Array:
    """Return what the training table's own rows are known by ``(rows,)``: ids, or positions in the table as read."""
    if dataset.ids is not None:
        return dataset.ids
    positions = dataset.planning.positions
    return np.arange(dataset.own_rows) if positions is None else positions


def _validated(plan: FoldPlan) -> Array:
    """Return the positions of the rows that some split validates, ascending."""
    return np.unique(np.concatenate([plan.validate(split) for split in range(plan.splits)]))


def _strangers(dataset: Dataset, plan: FoldPlan, oof: Given) -> Iterator[str]:
    """Say which rows of the file are not looked at.

    Raises:
        DataError: there are rows of which nobody knows what they are.
    """
    own, held = row_ids(dataset), () if dataset.holdout_ids is None else dataset.holdout_ids
    unknown = oof.unknown(own, held)
    if unknown and not dataset.extra and dataset.planning.positions is None:
        raise DataError(
            f"{oof.file}: {counted(len(unknown), 'id')} that the training table does not have, such as {oof.id} "
            f"{some(unknown)}; are they of this competition's train table?{oof.hint}"
        )
    if unknown:
        yield f"{counted(len(unknown), 'row')} that you do not validate are ignored, such as {oof.id} {some(unknown)}"
    idle = np.setdiff1d(np.arange(dataset.own_rows), _validated(plan))
    if ignored := int((oof.find(own[idle]) >= 0).sum()):
        yield f"{counted(ignored, 'row')} that no split validates are ignored"


# --- the table to predict --------------------------------------------------------------------------------------------


def _tested(dataset: Dataset, oof: Given, test: Given | None, notices: list[str]) -> Array | None:
    """Return predictions of the rows to predict; ``None`` where there are none, or nothing was given of them."""
    if dataset.test_rows is None:
        if test is not None:
            raise ConfigError(f"the experiment has no data.test, so that {test.file} is of no use; leave --test out")
        return None
    asked = dataset.asked_rows
    if asked and test is None:
        notices.append(
            "without --test it is compared, and not blended: a blend predicts the test table; merge it again with "
            "--test TEST.csv"
        )
        return None
    predicted = np.full((dataset.test_rows, dataset.schema.outputs), np.nan)
    if asked and test is not None:
        predicted[:asked] = _of_test(dataset, test)
    if dataset.holdout_ids is not None:
        _fill_holdout(dataset, oof, test, predicted[asked:], notices)
    return predicted


def _test_ids(dataset: Dataset) -> Array:
    return np.arange(dataset.asked_rows) if dataset.test_ids is None else dataset.test_ids


def _of_test(dataset: Dataset, test: Given) -> Array:
    ids = _test_ids(dataset)
    held = dataset.holdout_ids if dataset.ids is not None and dataset.holdout_ids is not None else ()
    if unknown := test.unknown(ids, held):
        raise DataError(
            f"{test.file}: {counted(len(unknown), 'id')} that the test table does not have, such as {test.id} "
            f"{some(unknown)}; are they of this competition's test table?{test.hint}"
        )
    return test.predictions(test.rows_of(ids, "rows of the test table"))


def _fill_holdout(dataset: Dataset, oof: Given, test: Given | None, target: Array, notices: list[str]) -> None:
    """Fill in the predictions of the rows set aside ``(rows, outputs)`` from the file that has all of them."""
    ids: Any = dataset.holdout_ids
    for given in (oof, test):
        if given is None or (given is test and (dataset.ids is None or _meet(dataset))):
            continue  # positions, and ids of two tables that are alike, say nothing of the training table's rows
        rows = given.find(ids)
        if (rows >= 0).all():
            target[:] = given.predictions(rows)
            notices.append(
                f"its predictions of the {len(ids):,} rows that you set aside are those of {given.file.name}: the "
                "holdout's score is honest only if the models that made them were not trained on these rows"
            )
            return
    notices.append(
        f"it has no predictions of all {len(ids):,} rows that you set aside: a blend with it gets no holdout score"
    )


def _meet(dataset: Dataset) -> bool:
    """Say whether some row that was set aside has the id of a row of the test table."""
    return bool(np.isin(np.asarray(dataset.holdout_ids, dtype=str), np.asarray(_test_ids(dataset), dtype=str)).any())
