"""Rows set aside: which they are, and that nothing but the blend's last score sees them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import ExperimentConfig, config_from_mapping
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import make_plan
from workbench.data.preparation import NativePreparation
from workbench.errors import ConfigError, DataError

ROWS, SHARE = 200, 0.2


def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "key": [f"r{row:03d}" for row in range(rows)],
            "x": rng.normal(size=rows),
            "own": [f"c{row:03d}" for row in range(rows)],
            "kind": rng.choice(["a", "b", "c"], rows),
            "g": rng.integers(0, 40, rows),
            "when": rng.permutation(rows) // 2,
            "fold": np.arange(rows) % 4,
            "w": rng.uniform(0.5, 2.0, rows),
            "y": rng.choice(["no", "yes", "rare"], rows, p=[0.6, 0.25, 0.15]),
        }
    )


def config(data: dict[str, Any] | None = None, **sections: Any) -> ExperimentConfig:
    parts = {"train": "train.csv", "target": "y", "id": "key", "columns": {"own": "categorical"}, **(data or {})}
    return ExperimentConfig.model_validate({"data": parts, "metric": "log_loss", "holdout": SHARE, **sections})


def build(config: ExperimentConfig, train: pd.DataFrame | None = None, **tables: Any) -> Dataset:
    return build_dataset(
        config, frame() if train is None else train, tables.pop("test", None), "probabilities", **tables
    )


def held_keys(dataset: Dataset) -> set[str]:
    assert dataset.holdout_ids is not None
    return set(dataset.holdout_ids)


@pytest.mark.parametrize(
    ("data", "folds"),
    [({}, {}), ({"group": "g"}, {}), ({"time": "when"}, {"gap": 7, "splits": 2}), ({}, {"column": "fold"})],
    ids=["random", "groups", "time", "column"],
)
def test_no_split_and_nothing_fitted_in_it_sees_a_row_set_aside(data: dict[str, str], folds: dict[str, Any]) -> None:
    asked, train = config(data, folds=folds), frame()
    dataset = build(asked)
    held, remaining = held_keys(dataset), list(dataset.ids if dataset.ids is not None else ())
    assert abs(len(held) - SHARE * ROWS) <= 3
    assert held.isdisjoint(remaining)
    assert remaining == [key for key in train["key"] if key in set(remaining)]
    assert len(held) + len(remaining) == ROWS - (8 if folds.get("gap") else 0)  # rows of one time stay together

    plan = make_plan(dataset, asked.folds, 0)
    names = train.set_index("key")["own"]
    for split in range(plan.splits):
        rows = plan.train(split)
        assert held.isdisjoint(dataset.ids[np.r_[rows, plan.validate(split)]])  # type: ignore[index]
        preparation = NativePreparation(dataset.schema)
        preparation.fit_transform(dataset.features.iloc[rows], dataset.y[rows])
        learnt = set(re.findall("c[0-9]{3}", json.dumps(preparation.state())))
        assert learnt
        assert learnt <= set(names[remaining])
    assert next(c.size for c in dataset.schema.columns if c.name == "own") == dataset.features["own"].nunique()

    assert dataset.test is not None
    expected = train.set_index("key").loc[list(dataset.holdout_ids)]  # type: ignore[arg-type]
    assert dataset.test["x"].tolist() == expected["x"].tolist()
    assert [dataset.schema.classes[code] for code in dataset.holdout_y] == expected["y"].tolist()  # type: ignore[union-attr]


def test_every_class_has_its_share_and_a_single_row_of_one_is_trained_on() -> None:
    train = frame()
    train.loc[0, "y"] = "once"
    dataset = build(config(), train)
    shown = pd.Series(dataset.holdout_y).value_counts()
    for code, label in enumerate(dataset.schema.classes):
        assert abs(shown.get(code, 0) - SHARE * (train["y"] == label).sum()) <= 1
    assert dataset.schema.classes.index("once") in dataset.y
    assert any("no row of class 'once'" in notice for notice in dataset.notices)


def test_groups_are_whole_and_the_latest_are_later_than_all_others() -> None:
    def of(dataset: Dataset, name: str) -> tuple[pd.Series[Any], pd.Series[Any]]:
        is_held = frame()["key"].isin(held_keys(dataset))
        return frame().loc[is_held, name], frame().loc[~is_held, name]

    held, left = of(build(config({"group": "g"})), "g")
    assert set(held).isdisjoint(left)
    held, left = of(build(config({"time": "when"})), "when")
    assert held.min() > left.max()


def test_extra_rows_of_the_holdouts_groups_are_left_out() -> None:
    extra = frame(60).assign(key=None)
    dataset = build(config({"group": "g", "extra": "more.csv"}), extra=[extra])
    assert 0 < dataset.extra < 60
    held = frame().set_index("key").loc[list(held_keys(dataset)), "g"]
    kept = (~extra["g"].isin(held)).sum()
    assert dataset.extra == kept
    assert len(dataset.y) == len(dataset.features) == dataset.own_rows + kept
    assert any(f"{60 - kept} extra rows are left out" in notice for notice in dataset.notices)


def test_they_stand_behind_the_test_table_and_are_saved_with_it(tmp_path: Path) -> None:
    test = frame(30).drop(columns="y").assign(key=[f"t{row}" for row in range(30)])
    dataset = build(config({"weight": "w"}), test=test)
    assert dataset.test is not None
    assert dataset.test_ids is not None
    assert (dataset.asked_rows, dataset.holdout_rows, dataset.test_rows) == (30, 40, 70)
    assert dataset.test["x"].head(30).tolist() == test["x"].tolist()
    assert dataset.test_ids.tolist() == test["key"].tolist()
    assert len(dataset.raw("test")) == 70

    dataset.save(tmp_path / "d")
    opened = Dataset.open(tmp_path / "d")
    assert (opened.asked_rows, opened.key, opened.test_key) == (30, dataset.key, dataset.test_key)
    for name in ("holdout_y", "holdout_weight", "holdout_ids", "y", "test_ids"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(dataset, name))
    pd.testing.assert_frame_equal(opened.raw("test"), dataset.raw("test"))


def test_keys_follow_the_rows_not_the_experiments_seed() -> None:
    first, same = build(config()), build(config(seed=7))
    assert (first.key, first.test_key) == (same.key, same.test_key)
    for other in (
        build(config(holdout=0)),
        build(config(holdout={"share": SHARE, "seed": 1})),
        build(config(holdout=0.3)),
    ):
        assert other.key != first.key
        assert other.test_key != first.test_key


def test_a_fold_file_in_the_order_of_the_table_still_fits(tmp_path: Path) -> None:
    np.save(tmp_path / "folds.npy", np.arange(ROWS) % 4)
    asked = config(folds={"file": "folds.npy"})
    dataset = build(asked)
    plan = make_plan(dataset, asked.folds, 0, root=tmp_path)
    kept = dataset.planning.positions
    assert kept is not None
    for split in range(4):
        np.testing.assert_array_equal(kept[plan.validate(split)] % 4, split)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (config(holdout=0.02), "sets 4 of 200 rows aside, expected at least 10"),
        (config({"group": "g"}, holdout={"share": 0.2, "by": "random"}), "set holdout.by to 'group'"),
    ],
)
def test_what_cannot_be_scored_is_refused(asked: ExperimentConfig, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(asked)


def test_a_class_of_the_latest_rows_alone_is_refused() -> None:
    train = frame().sort_values("when", ignore_index=True)
    train.loc[190:, "y"] = "new"
    with pytest.raises(DataError, match="all rows of class 'new' aside"):
        build(config({"time": "when"}), train)


@pytest.mark.parametrize(
    ("holdout", "message"),
    [(1.5, "holdout.*a number less than 1"), ({"share": 0.2, "by": "time"}, "needs data.time"), (True, "holdout")],
)
def test_the_configuration_is_checked(holdout: object, message: str) -> None:
    mapping = {"data": {"train": "train.csv", "target": "y"}, "metric": "auc", "ensemble": {"method": "mean"}}
    with pytest.raises(ConfigError, match=message):
        config_from_mapping({**mapping, "holdout": holdout}, "test")
