"""DataFrames from Python: what cannot be written is told by column."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench import Experiment, registry
from workbench.data.frames import write_frame
from workbench.data.readers import read_table
from workbench.errors import DataError


def test_a_frame_is_written_under_a_name_of_its_content(tmp_path: Path) -> None:
    frame = pd.DataFrame({1: [1, 2], "b": ["x", None]}, index=pd.Index([5, 6], name="key"))
    path = write_frame(frame, tmp_path, "train")
    path.with_name(".train.parquet").mkdir()  # whatever another process writes meanwhile, under whatever name
    assert write_frame(frame, tmp_path, "train") == path
    assert write_frame(frame.assign(b="y"), tmp_path, "train") != path
    assert read_table(path)["key"].tolist() == [5, 6]
    assert list(read_table(path).columns) == ["key", "1", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"a": [1, "x", 2.5, None]},
            r"as train: column 'a' mixes number \(2 cells, first in row 1: 1\) and text \(1 cells",
        ),
        (
            {"a": ["x", True, None, "y"]},
            r"column 'a' mixes text \(2 cells.* and boolean \(1 cells, first in row 2: True",
        ),
        ({"a": [object()] * 4}, r"column 'a' holds object \(4 cells, first in row 1"),
        ({"a": [1 + 2j] * 4}, r"column 'a' holds complex"),
        ({"a": [1, "x", 1, 1], "b": ["x", 1, 1, 1]}, r"2 columns cannot be used\n  column 'a' .*\n  column 'b' mixes"),
    ],
)
def test_mixed_columns_are_told(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    frame = pd.DataFrame(
        {"y": np.arange(4), **{name: pd.Series(cells, dtype=object) for name, cells in columns.items()}}
    )
    with pytest.raises(DataError, match=message):
        Experiment(frame, target="y", metric="rmse", root=tmp_path)


def test_numbers_of_several_types_are_no_mixture(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": pd.Series([1, 2.5, None], dtype=object), "d": [decimal.Decimal(1)] * 3})
    assert read_table(write_frame(frame, tmp_path, "train"))["a"].tolist()[:2] == [1.0, 2.5]


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column names must differ, but 'a'"):
        write_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path, "train")


def plan(frame: pd.DataFrame, _: pd.Series) -> list[tuple[list[int], list[int]]]:
    rows = list(range(len(frame)))
    return [(rows[2:], rows[:2]), (rows[:2], rows[2:])]


def test_extra_tables_and_fold_plans_may_come_from_python(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": range(6), "y": range(6), "t": range(6)})
    experiment = Experiment(
        frame,
        target="y",
        metric="rmse",
        extra=[frame.head(2)],
        extra_weight=0.5,
        encoding="cp1252",
        folds={"function": plan},
        root=tmp_path,
    )
    assert experiment.config.data.extra[0].is_file()
    assert (experiment.config.data.extra_weight, experiment.config.data.encoding) == (0.5, "cp1252")
    assert registry.load(str(experiment.config.folds.function), experiment.folds_root).__name__ == "plan"
    filed = Experiment(frame, target="y", metric="rmse", time="t", folds={"file": frame[["t"]]}, root=tmp_path)
    assert filed.config.folds.file is not None
    assert filed.config.folds.file.is_file()
    assert filed.config.data.time == "t"
