"""Data sets: content keys, saved and opened, from files and from frames."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import ExperimentConfig
from workbench.data.building import build_dataset, load_dataset
from workbench.data.dataset import Dataset
from workbench.data.preparation import NativePreparation, ScaledPreparation
from workbench.data.vocabulary import MOST_CODES
from workbench.errors import DataError

ROWS = 30


def frame(**changes: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "key": [f"{row:03d}" for row in range(ROWS)],
        "x": np.where(np.arange(ROWS) % 5 == 0, np.nan, rng.normal(size=ROWS)),
        "kind": [["a", "b", None][row % 3] for row in range(ROWS)],
        "when": [f"2026-01-{row % 28 + 1:02d}" for row in range(ROWS)],
        "flag": [["yes", "no"][row % 2] for row in range(ROWS)],
        "g": [f"g{row % 6}" for row in range(ROWS)],
        "w": np.linspace(0.5, 2.0, ROWS),
        "y": [["low", "high"][row // 3 % 2] for row in range(ROWS)],
    }
    return pd.DataFrame({**columns, **changes})


def config(**data: Any) -> ExperimentConfig:
    parts = {"train": "train.csv", "target": "y", "id": "key", "group": "g", "weight": "w", **data}
    return ExperimentConfig.model_validate({"data": parts, "metric": "auc"})


def build(train: pd.DataFrame | None = None, test: pd.DataFrame | None = None) -> Dataset:
    return build_dataset(config(), frame() if train is None else train, test, "probabilities")


def same(left: Dataset, right: Dataset) -> None:
    pd.testing.assert_frame_equal(left.features, right.features, check_exact=True)
    for name in ("y", "weight", "group", "ids", "test_ids"):
        one, other = getattr(left, name), getattr(right, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    assert (left.schema, left.key, left.test_key, left.notices) == (
        right.schema,
        right.key,
        right.test_key,
        right.notices,
    )
    assert (left.test is None) == (right.test is None)
    if left.test is not None and right.test is not None:
        pd.testing.assert_frame_equal(left.test, right.test, check_exact=True)


def test_parts_of_a_data_set() -> None:
    dataset = build(test=frame().drop(columns="y").head(4))
    assert dataset.schema.classes == ("high", "low")
    assert dataset.y.dtype == np.int64
    assert dataset.y[:4].tolist() == [1, 1, 1, 0]
    assert dataset.ids is not None
    assert dataset.ids[:2].tolist() == ["000", "001"]
    assert dataset.group is not None
    assert dataset.group.dtype == np.int64
    assert len(np.unique(dataset.group)) == 6
    assert dataset.test is not None
    assert dataset.test_ids is not None
    assert len(dataset.test) == len(dataset.test_ids) == 4
    assert list(dataset.features.columns) == ["x", "kind", "when", "flag"]


@pytest.mark.parametrize(
    ("ids", "dtype"), [(["1", "20"], np.int64), (["01", "20"], object), ([1.0, 2.0], np.int64), (["a", "1"], object)]
)
def test_ids_are_numbers_only_if_written_so(ids: list[Any], dtype: Any) -> None:
    train = pd.DataFrame({"key": ids, "x": [1, 2], "y": [1.0, 2.0]})
    plain = ExperimentConfig.model_validate({"data": {"train": "t.csv", "target": "y", "id": "key"}, "metric": "rmse"})
    dataset = build_dataset(plain, train, None, "values")
    assert dataset.ids is not None
    assert dataset.ids.dtype == dtype


@pytest.mark.parametrize("with_test", [True, False])
def test_a_saved_data_set_opens_as_it_was(tmp_path: Path, with_test: bool) -> None:
    dataset = build(test=frame().head(5) if with_test else None)
    dataset.save(tmp_path / "set")
    same(Dataset.open(tmp_path / "set"), dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_saving_again_leaves_the_folder_and_other_content_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    build().save(folder)
    before = folder.stat().st_ino
    build().save(folder)
    assert folder.stat().st_ino == before
    other = build(frame(w=1.0))
    other.save(folder)
    same(Dataset.open(folder), other)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_without_a_data_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no data set: dataset\.json is absent"):
        Dataset.open(tmp_path)


def test_csv_parquet_and_memory_give_one_key(tmp_path: Path) -> None:
    test = frame().drop(columns=["y", "w"]).head(7)
    frame().to_csv(tmp_path / "train.csv", index=False)
    frame().to_parquet(tmp_path / "train.parquet")
    test.to_csv(tmp_path / "test.csv.gz", index=False)
    built = build_dataset(config(), frame(), test, "probabilities")
    for name in ("train.csv", "train.parquet"):
        loaded = load_dataset(config(train=name, test="test.csv.gz"), tmp_path, "probabilities")
        same(loaded, built)


CHANGES = {
    "a number": {"x": np.arange(ROWS) * 1.0},
    "a category": {"kind": [["a", "b", None][row % 3] for row in range(ROWS - 1)] + ["b"]},
    "a label": {"y": ["high"] + [["low", "high"][row // 3 % 2] for row in range(1, ROWS)]},
    "a weight": {"w": np.linspace(0.5, 2.1, ROWS)},
    "a group": {"g": [f"g{row % 7}" for row in range(ROWS)]},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_hangs_on_content(change: str) -> None:
    assert build(frame(**CHANGES[change])).key != build().key


def test_the_key_hangs_on_the_order_of_rows_but_not_of_columns_or_ignored_ones() -> None:
    shuffled = frame().sample(frac=1.0, random_state=0)
    assert build(shuffled).key != build().key
    assert build(frame().set_index(pd.Index(range(5, ROWS + 5)))).key == build().key
    assert build(frame(), frame().head(3)).key == build().key
    assert build(test=frame().head(3)).test_key != build(test=frame().head(4)).test_key
    assert build(test=frame().head(3).assign(further=1)).test_key == build(test=frame().head(3)).test_key
    assert build().test_key == ""


@pytest.mark.parametrize("ids", [["007", "008", "009"], [7, 8, 9]])
def test_new_identifiers_of_the_same_rows_are_another_test_table(ids: list[Any], tmp_path: Path) -> None:
    before = build(test=frame().head(3))
    after = build(test=frame().head(3).assign(key=ids))
    assert after.test_key != before.test_key
    assert after.test_key == build(test=frame().head(3).assign(key=ids)).test_key
    before.save(tmp_path / "saved")
    after.save(tmp_path / "saved")
    same(Dataset.open(tmp_path / "saved"), after)


def plain(rows: int, start: int = 0, **changes: Any) -> pd.DataFrame:
    steps = np.arange(start, start + rows)
    columns = {"x": steps % 13 + 0.5, "kind": [f"k{step % 4}" for step in steps], "y": steps % 11 + 1.0}
    return pd.DataFrame({**columns, **changes})


def with_extra(*extra: pd.DataFrame, train: pd.DataFrame | None = None, **data: Any) -> Dataset:
    names = [f"extra{number}.csv" for number in range(len(extra))]
    parts = {"train": "train.csv", "target": "y", "extra": names, **data}
    given = ExperimentConfig.model_validate({"data": parts, "metric": "rmse"})
    return build_dataset(given, plain(40) if train is None else train, None, "values", extra=extra)


def test_extra_rows_are_the_last_ones() -> None:
    dataset = with_extra(plain(5, 100, kind=["new", "k0", None, "k1", "k2"], further=1), plain(3, 200))
    assert (dataset.rows, dataset.own_rows, dataset.extra) == (48, 40, 8)
    assert dataset.y[40:].tolist() == [*(np.arange(100, 105) % 11 + 1.0), *(np.arange(200, 203) % 11 + 1.0)]
    kind = next(column for column in dataset.schema.features if column.name == "kind")
    assert (kind.size, kind.missing) == (5, True)
    assert dataset.weight is None
    assert any("8 extra rows are trained on and never validated" in notice for notice in dataset.notices)
    assert dataset.key != with_extra().key
    whole = with_extra(train=pd.concat([plain(40), plain(3, 200)], ignore_index=True))
    assert with_extra(plain(3, 200)).key != whole.key


def test_extra_rows_weigh_what_they_are_told() -> None:
    assert with_extra(plain(2, 100), extra_weight=0.25).weight.tolist() == [1.0] * 40 + [0.25] * 2  # type: ignore[union-attr]
    dataset = with_extra(plain(2, 100, w=[2.0, 4.0]), train=plain(40, w=3.0), weight="w", extra_weight=0.5)
    assert dataset.weight is not None
    assert dataset.weight.tolist() == [3.0] * 40 + [1.0, 2.0]


def test_a_group_is_the_same_in_every_table() -> None:
    train = plain(40, g=np.arange(40) // 4)
    group = with_extra(plain(3, 100, g=["0", "9", "far"]), train=train, group="g").group
    assert group is not None
    assert group[40:].tolist() == [group[0], group[36], 10]


def test_extra_rows_that_repeat_the_training_table_are_told() -> None:
    dataset = with_extra(pd.concat([plain(40).iloc[[3, 7]], plain(2, 100, x=99.0)]))
    assert any("2 of them equal rows of the training table" in notice for notice in dataset.notices)


def test_columns_that_models_ignore_may_lack_in_extra_rows(tmp_path: Path) -> None:
    dataset = with_extra(plain(2, 100), train=plain(40, name=[f"Mr {row}" for row in range(40)]), drop=["name"])
    dataset.save(tmp_path / "set")
    same(Dataset.open(tmp_path / "set"), dataset)
    assert Dataset.open(tmp_path / "set").raw("train")["name"].tolist()[38:] == ["Mr 38", "Mr 39", None, None]


@pytest.mark.parametrize(
    ("extra", "data", "message"),
    [
        (plain(3).drop(columns="x"), {}, r"extra table extra0\.csv lacks a column of the training table: 'x'"),
        (plain(3).rename(columns={"y": "Y"}), {}, r"extra table extra0\.csv has no column 'y' \(data\.target\)"),
        (plain(3, y=[1.0, None, 2.0]), {}, r"target 'y' is empty in 1 of 3 rows \(2\)"),
        (plain(3, x=["1", "two", "3"]), {}, r"extra table extra0\.csv: column 'x' is numeric, .*'two' in row 2"),
        (plain(3), {"weight": "w"}, r"extra table extra0\.csv has no column 'w' \(data\.weight\)"),
        (plain(3, w=[1.0, -1.0, 1.0]), {"weight": "w"}, r"extra0\.csv: weight 'w' must be a number from 0 up"),
        (plain(3, g=["a", None, "b"]), {"group": "g"}, r"extra0\.csv: group 'g' is empty in 1 of 3 rows"),
        (plain(0), {}, r"extra table extra0\.csv has no rows"),
    ],
)
def test_extra_tables_that_do_not_fit_are_told(extra: pd.DataFrame, data: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        with_extra(extra, train=plain(40, **{name: np.arange(40) // 4 for name in data.values()}), **data)


def test_labels_of_the_test_table_are_dropped_with_a_notice() -> None:
    labelled, unlabelled = build(test=frame().head(4)), build(test=frame().drop(columns="y").head(4))
    assert any("the test table has the target 'y': it is dropped" in notice for notice in labelled.notices)
    assert (labelled.key, labelled.test_key) == (unlabelled.key, unlabelled.test_key)
    assert "y" not in labelled.raw("test")
    assert not any("target" in notice for notice in unlabelled.notices)


def test_unseen_categories_further_and_reordered_columns_of_the_test_table_do_no_harm() -> None:
    test = frame().drop(columns="y").head(4).assign(further=1, kind=["new", "a", None, "b"])
    dataset = build(test=test[test.columns[::-1]])
    assert dataset.test is not None
    assert list(dataset.test.columns) == list(dataset.features.columns)
    preparation = NativePreparation(dataset.schema)
    preparation.fit_transform(dataset.features, dataset.y)
    codes = preparation.transform(dataset.test).categorical[:, 0]
    assert codes[0] == codes[2] == 0
    assert codes[1] > 0


def test_many_categories_and_an_empty_column_neither_explode_nor_fail() -> None:
    rows = 120_000
    code = np.arange(rows) % 100_000
    wide = pd.DataFrame({"c": [f"c{value}" for value in code], "empty": None, "x": code % 7, "y": code % 5})
    given = ExperimentConfig.model_validate({"data": {"train": "t.csv", "target": "y"}, "metric": "rmse"})
    start = time.perf_counter()
    dataset = build_dataset(given, wide, wide.drop(columns="y"), "values")
    assert [column.size for column in dataset.schema.features] == [100_000, 0]
    assert "column 'empty': ignored as every cell is empty" in dataset.notices
    for kind in (NativePreparation, ScaledPreparation):
        preparation = kind(dataset.schema)
        prepared = preparation.fit_transform(dataset.features, dataset.y)
        assert max(preparation.inputs.sizes) <= MOST_CODES
        assert prepared.numeric.nbytes + prepared.categorical.nbytes < 10_000_000
        preparation.transform(dataset.test)
    assert time.perf_counter() - start < 20.0  # about 1 s
