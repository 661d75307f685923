"""Fold plans: what every plan of every table must hold to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.config import ExperimentConfig, FoldsConfig
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import TRAIN, UNUSED, VALIDATE, FoldPlan, make_plan
from workbench.errors import DataError


def dataset(rows: int, *, metric: str = "rmse", groups: int | None = None) -> Dataset:
    y = np.arange(rows) * 0.5 if metric == "rmse" else np.arange(rows) % 10 < 3
    columns: dict[str, Any] = {"x": np.arange(rows) % 11, "y": y}
    data: dict[str, Any] = {"train": "t.csv", "target": "y"}
    if groups is not None:
        columns["g"], data["group"] = np.arange(rows) % groups, "g"
    config = ExperimentConfig.model_validate({"data": data, "metric": metric})
    return build_dataset(config, pd.DataFrame(columns), None, "values" if metric == "rmse" else "probabilities")


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(40, 120),
    metric=st.sampled_from(["rmse", "auc"]),
    grouped=st.booleans(),
    splits=st.integers(2, 5),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_every_repeat_validates_each_row_once(
    rows: int, metric: str, grouped: bool, splits: int, repeats: int, seed: int
) -> None:
    data = dataset(rows, metric=metric, groups=37 if grouped else None)
    plan = make_plan(data, FoldsConfig(splits=splits, repeats=repeats), seed)
    assert (plan.splits, plan.rows, plan.repeats) == (splits * repeats, rows, repeats)
    assert plan.kind == ("group" if grouped else "stratified" if metric == "auc" else "kfold")
    for repeat in range(repeats):
        mine = [split for split in range(plan.splits) if plan.repeat(split) == repeat]
        np.testing.assert_array_equal(
            np.sort(np.concatenate([plan.validate(split) for split in mine])), np.arange(rows)
        )
    for split in range(plan.splits):
        train, validate = plan.train(split), plan.validate(split)
        assert len(np.intersect1d(train, validate)) == 0
        assert len(train) + len(validate) == rows
        if data.group is not None:
            assert len(np.intersect1d(data.group[train], data.group[validate])) == 0
        if plan.kind == "stratified":
            assert abs(data.y[validate].sum() - data.y.sum() / splits) < 1.0


@pytest.mark.parametrize(("metric", "groups"), [("rmse", None), ("auc", None), ("rmse", 20), ("auc", 20)])
def test_the_seed_decides_the_plan(metric: str, groups: int | None) -> None:
    data = dataset(100, metric=metric, groups=groups)
    config = FoldsConfig(repeats=2)
    assert make_plan(data, config, 1).key == make_plan(data, config, 1).key
    assert make_plan(data, config, 1).key != make_plan(data, config, 2).key
    plan = make_plan(data, config, 1)
    assert not np.array_equal(plan.assignment[: plan.splits // 2], plan.assignment[plan.splits // 2 :])


def test_many_small_groups_are_spread_evenly_and_whole() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4000, 20_000)
    frame = pd.DataFrame(
        {"x": rng.normal(size=20_000), "g": group, "y": rng.random(20_000) < 0.1 + 0.5 * (group % 5 == 0)}
    )
    config = ExperimentConfig.model_validate({"data": {"train": "t.csv", "target": "y", "group": "g"}, "metric": "auc"})
    data = build_dataset(config, frame, None, "probabilities")
    plan = make_plan(data, FoldsConfig(), 0)
    np.testing.assert_array_equal((plan.assignment == VALIDATE).sum(axis=0), 1)
    for split in range(plan.splits):
        validated = plan.validate(split)
        assert len(np.intersect1d(group[validated], group[plan.train(split)])) == 0
        assert len(validated) / data.rows == pytest.approx(0.2, abs=0.01)
        assert data.y[validated].mean() == pytest.approx(data.y.mean(), abs=0.02)


def test_a_saved_plan_opens_as_it_was(tmp_path: Path) -> None:
    plan = make_plan(dataset(50), FoldsConfig(repeats=2), 0)
    plan.save(tmp_path / "plans" / "plan.npz")
    again = FoldPlan.open(tmp_path / "plans" / "plan.npz")
    np.testing.assert_array_equal(again.assignment, plan.assignment)
    assert (again.key, again.kind, again.repeats) == (plan.key, plan.kind, plan.repeats)
    assert [path.name for path in (tmp_path / "plans").iterdir()] == ["plan.npz"]


def test_a_fold_that_weighs_nothing_is_named() -> None:
    data = dataset(40)
    config = FoldsConfig(splits=4)
    first = np.isin(np.arange(40), make_plan(data, config, 0).validate(0))
    for weight, part in ((~first, "validation"), (first, "training")):
        with pytest.raises(DataError, match=rf"fold 1 of 4: the weights of its \d+ {part} rows are all 0"):
            make_plan(replace(data, weight=weight.astype(float)), config, 0)


def test_a_plan_cannot_be_changed() -> None:
    plan = make_plan(dataset(50), FoldsConfig(), 0)
    with pytest.raises(ValueError, match="read-only"):
        plan.assignment[0, 0] = UNUSED


def test_unused_rows_are_neither_trained_on_nor_validated() -> None:
    plan = FoldPlan(np.array([[UNUSED, TRAIN, VALIDATE]], dtype=np.int8), "time")
    assert plan.train(0).tolist() == [1]
    assert plan.validate(0).tolist() == [2]


@pytest.mark.parametrize(
    ("assignment", "repeats", "message"),
    [
        (np.zeros((0, 3)), 1, "array of shape"),
        (np.full((2, 3), 7), 1, "of 0, 1 and 2"),
        (np.ones((3, 4)), 2, "3 splits cannot"),
    ],
)
def test_broken_plans_are_refused(assignment: Any, repeats: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FoldPlan(assignment, "kfold", repeats)


def test_a_file_that_is_no_plan_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no fold plan"):
        FoldPlan.open(tmp_path / "plan.npz")
    with pytest.raises(DataError, match="is no fold plan"):
        FoldPlan.open(tmp_path / "absent.npz")
