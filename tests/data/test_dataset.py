"""Data sets: content keys, saved and opened, from files and from frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import ExperimentConfig
from workbench.data.dataset import Dataset, build_dataset, load_dataset
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
