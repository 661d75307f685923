"""The user's mistakes, each told by name before anything is searched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import ExperimentConfig, FoldsConfig
from workbench.data import checks
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import make_plan
from workbench.errors import DataError

ROWS = 20


def build(
    data: dict[str, Any] | None = None, metric: str = "rmse", test: pd.DataFrame | None = None, **columns: Any
) -> Dataset:
    frame = pd.DataFrame({"x": np.arange(ROWS) % 7, "y": np.arange(ROWS) % 9 + 1.0}).assign(**columns)
    config = ExperimentConfig.model_validate(
        {"data": {"train": "train.csv", "target": "y", **(data or {})}, "metric": metric}
    )
    needs = {"rmse": "values", "rmsle": "values"}.get(metric, "probabilities")
    return build_dataset(config, frame, test, needs)  # type: ignore[arg-type]


def some(value: Any, other: Any, *rows: int) -> pd.Series:
    return pd.Series([other if row + 1 in rows else value for row in range(ROWS)])


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"data": {"target": "Y"}}, r"training table train\.csv has no column 'Y' \(data\.target\)\."),
        ({"data": {"id": "kye"}, "key": range(ROWS)}, r"no column 'kye' \(data\.id\)\. Did you mean 'key'\?"),
        ({"data": {"group": "x", "weight": "x"}}, r"data\.group and data\.weight are both 'x'"),
        ({"y": 3.0}, "target 'y' is 3.0 in every row"),
        (
            {"y": np.where(np.arange(ROWS) % 9 == 2, np.nan, 1.0 * np.arange(ROWS))},
            r"target 'y' is empty in 2 of 20 rows \(3, 12\)",
        ),
        ({"y": some(1.0, np.inf, 5) + np.arange(ROWS)}, r"target 'y' must hold finite numbers, got inf in row 5"),
        (
            {"data": {"id": "key"}, "key": np.arange(ROWS) % 19},
            "id 'key' must differ .*1 rows repeat one, such as 0 in rows 1, 20",
        ),
        ({"data": {"id": "key"}, "key": some("a", None, 4)}, r"id 'key' is empty in 1 of 20 rows \(4\)"),
        ({"data": {"weight": "w"}, "w": some(1.0, -2.0, 3)}, "weight 'w' must be a number from 0 up.*row 3: -2.0"),
        ({"data": {"weight": "w"}, "w": some(1.0, np.nan, 3)}, "weight 'w' must be a number .*row 3: nothing"),
        ({"data": {"weight": "w"}, "w": some("1", "heavy", 3)}, "weight 'w' must be a number .*row 3"),
        ({"data": {"weight": "w"}, "w": 0.0}, "weight 'w' is 0 in every row"),
        ({"data": {"group": "g"}, "g": some("a", None, 7)}, r"group 'g' is empty in 1 of 20 rows \(7\)"),
        ({"data": {"group": "g"}, "g": some("a", " ", 7, 9)}, r"group 'g' is empty in 2 of 20 rows \(7, 9\)"),
        ({"metric": "rmsle", "y": np.arange(ROWS) - 1.0}, "rmsle needs a target from 0 up.*row 1: -1.0"),
        ({"metric": "auc", "y": np.arange(ROWS) % 3}, "auc needs two classes"),
    ],
)
def test_mistakes_in_the_training_table(case: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(**case)


def test_a_table_without_rows_is_told() -> None:
    config = ExperimentConfig.model_validate({"data": {"train": "t.csv", "target": "y"}, "metric": "rmse"})
    with pytest.raises(DataError, match=r"training table t\.csv has no rows"):
        build_dataset(config, pd.DataFrame({"x": [], "y": []}), None, "values")


def test_duplicate_columns_of_a_frame_are_told() -> None:
    config = ExperimentConfig.model_validate({"data": {"train": "t.csv", "target": "y"}, "metric": "rmse"})
    frame = pd.DataFrame([[1, 2, 3.0], [2, 3, 4.0]], columns=["x", "x", "y"])
    with pytest.raises(DataError, match="column names must differ, but 'x'"):
        build_dataset(config, frame, None, "values")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (pd.DataFrame({"key": [1, 2]}), "test table lacks a column of the training table: 'x'"),
        (pd.DataFrame({"x": [1, 2]}), r"test table has no column 'key' \(data\.id\)"),
        (pd.DataFrame({"key": [1, 1], "x": [1, 2]}), "test table: id 'key' must differ"),
        (pd.DataFrame({"key": [], "x": []}), "test table has no rows"),
        (pd.DataFrame({"key": [1, 2], "x": ["1", "?"]}), "test table: column 'x' is numeric"),
    ],
)
def test_mistakes_in_the_test_table(test: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build({"id": "key"}, key=range(ROWS), test=test)


@pytest.mark.parametrize(
    ("case", "folds", "message"),
    [
        (
            {"metric": "log_loss", "y": [1] * 17 + [2] * 3},
            {},
            r"both classes of 'y', but there are 3 of 2; set folds\.splits to 3",
        ),
        ({"metric": "log_loss", "y": [1] * 19 + [2]}, {}, r"there are 1 of 2; find more rows of it"),
        ({"data": {"group": "g"}, "g": some("a", "b", 1, 2)}, {}, "5 folds need at least as many groups, got 2"),
        ({}, {"splits": 21}, "21 folds need at least as many rows, got 20"),
        ({}, {"kind": "group"}, r"folds\.kind is 'group', but data\.group names no column"),
        ({}, {"kind": "stratified"}, r"folds\.kind is 'stratified', but the target has no classes"),
        ({"data": {"group": "g"}, "g": np.arange(ROWS) // 2}, {"kind": "kfold"}, "must not be split"),
        (
            {"metric": "auc", "data": {"group": "g"}, "g": np.arange(ROWS) // 2, "y": [1] * 2 + [0] * 18},
            {},
            "lacks class 1; set folds",
        ),
    ],
)
def test_tables_that_cannot_be_split(case: dict[str, Any], folds: dict[str, Any], message: str) -> None:
    dataset = build(**case)
    with pytest.raises(DataError, match=message):
        make_plan(dataset, FoldsConfig.model_validate(folds), seed=0)


def test_metric_checks_accept_what_they_should() -> None:
    checks.check_metric("rmsle", np.array([0.0, 1.0]))
    checks.check_metric("rmse", np.array([-1.0]))
    checks.check_metric("auc", np.array([0, 1]), task="binary")
