"""Keys of the data and folds sections that do not fit together, told before a table is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.config import config_from_mapping
from workbench.errors import ConfigError


def configure(folds: dict[str, Any] | None = None, root: Path | None = None, **data: Any) -> None:
    parts = {"train": "train.csv", "target": "y", **data}
    config_from_mapping({"data": parts, "metric": "rmse", "folds": folds or {}}, root=root)


@pytest.mark.parametrize(
    ("folds", "data"),
    [
        ({"column": "f"}, {}),
        ({"column": "f"}, {"time": "t"}),
        ({"kind": "function", "function": "plans:mine"}, {}),
        ({"file": "folds.npy", "kind": "file"}, {}),
        ({"gap": 3, "splits": 4}, {"time": "t"}),
        ({"kind": "time"}, {"time": "t", "encoding": "latin1"}),
        ({}, {"encoding": "UTF-8", "extra": "more.csv", "extra_weight": 0.5}),
    ],
)
def test_what_fits_together(folds: dict[str, Any], data: dict[str, Any]) -> None:
    configure(folds, **data)


@pytest.mark.parametrize(
    ("folds", "data", "message"),
    [
        (
            {},
            {"encoding": "cp1255x"},
            r"data\.encoding: expected an encoding of text .* received 'cp1255x'\. Did you m",
        ),
        ({}, {"encoding": "base64"}, r"data\.encoding: expected an encoding of text .* received 'base64'"),
        ({"column": "f", "file": "f.csv"}, {}, r"folds\.file: folds\.column is set as well; keep one of them"),
        (
            {"column": "f", "kind": "kfold"},
            {},
            r"folds\.column: folds\.kind 'kfold' does not look at it; remove it, or",
        ),
        ({"kind": "column"}, {}, r"folds\.kind: 'column' needs folds\.column; set it"),
        ({"kind": "time"}, {}, r"folds\.kind: 'time' needs data\.time"),
        ({"kind": "stratified"}, {"time": "t"}, r"folds\.kind: 'stratified' mixes past and future, but data\.time"),
        ({"gap": 2}, {}, r"folds\.gap: only folds in time have a gap"),
        ({"repeats": 2}, {"time": "t"}, r"folds\.repeats: folds of kind 'time' are the same each time; remove it"),
        ({"repeats": 2, "column": "f"}, {}, r"folds\.repeats: folds of kind 'column' are the same each time"),
        ({"function": "plans"}, {}, r"folds\.function: expected 'module:attribute'"),
    ],
)
def test_contradictions_are_told(folds: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configure(folds, **data)


def test_absent_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ConfigError) as told:
        configure({"file": "folds.csv"}, tmp_path, extra=["train.csv", "trane.csv"])
    assert "data.extra.1: there is no file" in str(told.value)
    assert "Did you mean 'train.csv'?" in str(told.value)
    assert "folds.file: there is no file" in str(told.value)
