"""The table as feature sets see it, in training and in prediction alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import ExperimentConfig
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.raw_columns import raw_rows, raw_schema
from workbench.errors import DataError

ROWS = 60


def frame(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "key": [f"{row:03d}" for row in range(ROWS)],
        "name": [f"Mr {row}" for row in range(ROWS)],
        "x": np.arange(ROWS) % 7,
        "born": [f"2026-01-{row % 28 + 1:02d}" if row % 9 else None for row in range(ROWS)],
        "flag": [["yes", "no", None][row % 3] for row in range(ROWS)],
        "w": np.linspace(0.5, 2.0, ROWS),
        "one": 1,
        "smoker": [["yes", "no", None][row % 3] for row in range(ROWS)],
        "y": np.arange(ROWS) % 5,
    }
    return pd.DataFrame({**columns, **changes})


def build(train: pd.DataFrame | None = None, test: pd.DataFrame | None = None) -> Dataset:
    data = {"train": "t.csv", "target": "y", "id": "key", "weight": "w", "drop": ["born", "flag"]}
    config = ExperimentConfig.model_validate({"data": data, "metric": "rmse"})
    return build_dataset(config, frame() if train is None else train, test, "values")


def test_feature_sets_see_every_column_typed_but_target_and_weight() -> None:
    raw = build().raw("train")
    assert {name: str(raw[name].dtype) for name in raw} == {
        "key": "float64",
        "name": "object",
        "x": "float64",
        "born": "datetime64[us]",
        "flag": "boolean",
        "one": "float64",
        "smoker": "boolean",
    }
    assert raw["name"].tolist()[:2] == ["Mr 0", "Mr 1"]
    assert raw["flag"].tolist()[:3] == [True, False, pd.NA]
    assert raw["born"].isna().sum() == 7


def test_what_the_test_table_lacks_nobody_sees() -> None:
    dataset = build(test=frame().drop(columns=["name", "y", "w"]).head(5))
    assert list(dataset.raw("train").columns) == ["key", "x", "born", "flag", "one", "smoker"]
    assert list(dataset.raw("test").columns) == list(dataset.raw("train").columns)
    assert dataset.raw("test")["x"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match=r"no test table; name one in data\.test"):
        build().raw("test")


def test_rows_to_predict_are_typed_as_the_training_table_was() -> None:
    dataset = build()
    some = frame().iloc[[4, 2]]
    expected = dataset.raw("train").iloc[[4, 2]].reset_index(drop=True)
    pd.testing.assert_frame_equal(raw_rows(some, dataset.schema, origin="rows"), expected, check_exact=True)
    assert [column.name for column in raw_schema(dataset.schema).features] == list(expected.columns)
    with pytest.raises(DataError, match="rows lacks a column of the training table: 'born'"):
        raw_rows(some.drop(columns="born"), dataset.schema, origin="rows")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (frame(), frame().head(4).assign(born=["soon", "2026-01-01", "", None])),
        (frame(born=[np.inf, *range(1, ROWS)]), frame().head(4).assign(born=1.0)),
        (frame(born=[[row] for row in range(ROWS)]), frame().head(4).assign(born=1.0)),
    ],
)
def test_ignored_cells_that_cannot_be_typed_stop_nobody(train: pd.DataFrame, test: pd.DataFrame) -> None:
    dataset = build(train, test)
    assert "born" not in dataset.raw("train")
    assert next(column.cells for column in dataset.schema.columns if column.name == "born") is None
    told = [notice for notice in dataset.notices if "feature sets do not see" in notice]
    assert len(told) == (0 if isinstance(train["born"][0], list) else 1)


def test_others_are_content_and_survive_the_disk(tmp_path: Path) -> None:
    dataset = build(test=frame().head(5))
    dataset.save(tmp_path / "set")
    again = Dataset.open(tmp_path / "set")
    for which in ("train", "test"):
        pd.testing.assert_frame_equal(again.raw(which), dataset.raw(which), check_exact=True)  # type: ignore[arg-type]
    other = build(frame(name=[f"Ms {row}" for row in range(ROWS)]), frame().head(5))
    assert other.key != dataset.key
    assert other.test_key == dataset.test_key
