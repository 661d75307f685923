"""What `workbench init` reads from the tables: target, identifier, metric, groups, time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, DataError
from workbench.scaffold import Inference, Scaffold, Tables, create

RANDOM = np.random.default_rng(1)


def sure(scaffold: Scaffold) -> dict[str, object]:
    return {inference.key: inference.value for inference in scaffold.inferences if inference.sure}


def found(scaffold: Scaffold, key: str) -> Inference:
    return next(inference for inference in scaffold.inferences if inference.key == key)


def table(rows: int = 200, **columns: object) -> pd.DataFrame:
    noise = {"x": np.random.default_rng(0).normal(size=rows).round(3)}
    return pd.DataFrame({**noise, "y": np.arange(rows) % 2, **columns})


def test_the_target_is_what_the_test_table_lacks(begin, houses) -> None:
    chosen = sure(begin(*houses))
    assert (chosen["data.target"], chosen["data.id"], chosen["metric"]) == ("price", "house_id", "rmse")


def test_the_sample_submission_names_target_and_id_among_other_columns(begin) -> None:
    train = table(key=RANDOM.permutation(200), casual=1.5)
    test = train.drop(columns=["y", "casual"])
    chosen = sure(begin(train, test, pd.DataFrame({"key": test["key"], "y": 0})))
    assert (chosen["data.target"], chosen["data.id"], chosen["data.drop"]) == ("y", "key", ["casual"])


def test_a_doubtful_target_is_asked_for(begin) -> None:
    train = table(z=1.0)
    with pytest.raises(DataError, match="several columns could be the target: 'y', 'z'; choose one with --target"):
        begin(train, train[["x"]])
    with pytest.raises(DataError, match=r"test table has every column .* name it with --target: 'x', 'y', 'z'"):
        begin(train, train)
    with pytest.raises(DataError, match=r"no column 'yy' \(--target\). Did you mean 'y'\?"):
        begin(train, target="yy")


def test_tables_that_tell_nothing_are_refused(begin) -> None:
    with pytest.raises(DataError, match=r"training table train\.csv has no rows"):
        begin(table().iloc[:0], target="y")
    with pytest.raises(DataError, match=r"test table test\.csv has no rows"):
        begin(table(), table().iloc[:0].drop(columns="y"))
    with pytest.raises(DataError, match=r"training table train\.csv: target 'y' is empty in 200 of 200 rows"):
        begin(table(y=np.nan), target="y")
    with pytest.raises(DataError, match=r"target 'y' is 1 in every row; there is nothing to predict"):
        begin(table(y=1), target="y")


def test_cells_that_are_lists_are_refused_where_models_would_see_them(tmp_path) -> None:
    lists = pd.Series([[number % 3, 1] for number in range(200)])
    train, test = Tables(tmp_path / "train.parquet"), Tables(tmp_path / "train.parquet", tmp_path / "test.parquet")
    table(id=lists).to_parquet(train.train)
    table().drop(columns="y").to_parquet(test.test)
    with pytest.raises(
        DataError, match=r"training table train\.parquet: column 'id' holds \w+ cells; expected numbers"
    ):
        create(tmp_path / "new", replace(train, target="y"))
    with pytest.raises(
        DataError, match=r"training table train\.parquet: column 'id' holds \w+ cells; expected numbers"
    ):
        create(tmp_path / "new", replace(train, target="id"))
    scaffold = create(tmp_path / "new", replace(test, target="y"))
    assert next(column for column in scaffold.columns if column.name == "id").distinct == 3


@pytest.mark.parametrize(
    ("target", "metric", "task"),
    [
        (np.array(["bad", "good"])[np.arange(200) % 2], "auc", "binary"),
        (np.array(["a", "b", "c"])[np.arange(200) % 3], "log_loss", "multiclass"),
        (3 + np.arange(200) % 6, "log_loss", "multiclass"),
        (np.arange(200) % 100, "rmse", "regression"),
        (np.linspace(0, 1, 200), "rmse", "regression"),
    ],
)
def test_the_usual_metric_of_a_target(begin, target, metric: str, task: str) -> None:
    scaffold = begin(table(y=target), target="y")
    assert (found(scaffold, "metric").value, found(scaffold, "task").value) == (metric, task)


def test_a_wide_positive_target_is_told_of_rmsle(begin) -> None:
    reason = found(begin(table(y=np.geomspace(1, 1e4, 200)), target="y"), "metric").reason
    assert "rmsle if relative errors count: it spans 1 to 10000" in reason


@pytest.mark.parametrize(("told", "name"), [("logloss", "log_loss"), ("ROC-AUC", "auc"), ("accuracy", "accuracy")])
def test_a_metric_is_known_by_its_other_names(begin, told: str, name: str) -> None:
    assert sure(begin(table(), target="y", metric=told))["metric"] == name


def test_an_unknown_metric_is_refused_before_anything_is_written(begin, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no metric is called 'acuracy'.* Did you mean 'accuracy'"):
        begin(table(), target="y", metric="acuracy")
    with pytest.raises(ConfigError, match="'metrics:profit': a function of your own is set in"):
        begin(table(), target="y", metric="metrics:profit")
    assert not (tmp_path / "new").exists()


def test_values_that_no_two_tables_share_are_groups(begin) -> None:
    train = table(patient_id=np.arange(200) // 8)
    test = table(patient_id=100 + np.arange(200) // 8).drop(columns="y")
    group = found(begin(train, test), "data.group")
    assert (group.value, group.sure) == ("patient_id", True)
    assert group.reason == "25 values, 8.0 rows each; train and test share none of them"


def test_values_that_recur_in_the_test_table_are_only_suggested(begin) -> None:
    names = np.array([f"ticket {number}" for number in range(120)])
    train = table(ticket=names[RANDOM.integers(0, 120, 200)], shop_id=np.arange(200) % 7)
    scaffold = begin(train, train.drop(columns="y"))
    assert (found(scaffold, "data.group").value, found(scaffold, "data.group").sure) == ("ticket", False)
    assert sure(scaffold)["data.columns"] == {"shop_id": "categorical"}


@pytest.mark.parametrize(("begins", "certain"), [("2025-01-01", True), ("2024-03-01", False)])
def test_later_test_rows_make_an_order_of_time(begin, begins: str, certain: bool) -> None:
    train = table(day=pd.date_range("2024-01-01", periods=200).astype(str))
    test = table(day=pd.date_range(begins, periods=200).astype(str)).drop(columns="y")
    time = found(begin(train, test), "data.time")
    assert (time.value, time.sure) == ("day", certain)


def test_names_that_suggest_weights_and_folds(begin) -> None:
    scaffold = begin(table(sample_weight=1.0 + RANDOM.random(200), fold=np.arange(200) % 5), target="y")
    assert not found(scaffold, "data.weight").sure
    assert found(scaffold, "folds.column").value == "fold"


def test_a_rare_class_is_no_reason_to_fail(begin) -> None:
    classes = np.array(["common", "usual"])[np.arange(200) % 2].astype(object)
    classes[[5, 50, 150]] = "rare"
    scaffold = begin(table(y=classes), target="y")
    assert "folds.kind" not in sure(scaffold)  # the default plan spreads them
    assert any("fewer rows than there are folds: 'rare' (3)" in finding.text for finding in scaffold.findings)


def test_a_wide_table_is_told_of_simple_models(begin) -> None:
    wide = pd.DataFrame(RANDOM.normal(size=(60, 80)).round(2), columns=[f"f{number}" for number in range(80)])
    scaffold = begin(wide.assign(y=RANDOM.normal(size=60)), target="y")
    assert "With 80 columns on 60 rows 'linear' is hard to beat" in found(scaffold, "families").reason
    assert found(scaffold, "folds.repeats").value == 3
