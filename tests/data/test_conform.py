"""Cells and conformed tables: one cell means the same in every file type, alone or among others."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import cells
from workbench.data.schema import conform
from workbench.errors import DataError
from workbench.types import Column, Schema

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="numeric"),
        Column(name="flag", kind="boolean"),
        Column(name="when", kind="datetime"),
        Column(name="kind", kind="categorical", size=3),
        Column(name="note", kind="ignored"),
    ),
    target="y",
    task="regression",
)


def table(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "kind": ["a", None, "3.0"],
        "when": ["2026-01-02", None, "2026-01-02T03:04:05Z"],
        "x": ["1.5", " ", "2"],
        "flag": ["Yes", None, "no"],
        "further": [1, 2, 3],
    }
    return pd.DataFrame({**columns, **changes})


def test_conformed_tables_have_the_schemas_columns_in_its_order_and_types() -> None:
    out = conform(table(), SCHEMA, origin="t")
    assert list(out.columns) == ["x", "flag", "when", "kind"]
    assert [str(dtype) for dtype in out.dtypes] == ["float64", "float64", "datetime64[us]", "object"]
    np.testing.assert_array_equal(out["x"], [1.5, np.nan, 2.0])
    np.testing.assert_array_equal(out["flag"], [1.0, np.nan, 0.0])
    assert out["kind"].tolist() == ["a", None, "3"]
    assert out["when"].tolist()[2] == pd.Timestamp("2026-01-02 03:04:05")
    assert out["when"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("cell", [3, 3.0, "3", "3.0", " 3 ", "03", np.int8(3), np.float32(3), Decimal(3), "3e0", "+3"])
def test_one_number_is_one_category(cell: Any) -> None:
    assert cells.category(cell) == "3"


@pytest.mark.parametrize(
    ("cell", "category"), [("", None), ("  ", None), (True, "True"), ("TRUE", "True"), ("inf", "inf"), ("1_0", "1_0")]
)
def test_categories_of_odd_cells(cell: Any, category: str | None) -> None:
    assert cells.category(cell) == category


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_has_the_category_of_its_text(value: float) -> None:
    assert cells.category(value) == cells.category(repr(value))


@given(st.text())
def test_categories_are_stable(text: str) -> None:
    once = cells.category(text)
    assert once is None or cells.category(once) == once


@given(st.floats())
def test_numbers_survive_their_text(value: float) -> None:
    read = cells.number(repr(value))
    assert read == value or (read is None and math.isnan(value))


@pytest.mark.parametrize("text", ["nan", "abc", "1,5", "1_000", "0x10", "1e", "--1"])
def test_what_is_no_number(text: str) -> None:
    assert cells.number(text) is None


@pytest.mark.parametrize(
    "cell", ["2026-11-20", "2026-11-20 17:30", "2026-11-20T17:30:00.25+02:00", dt.date(2026, 1, 2)]
)
def test_dates_are_read(cell: Any) -> None:
    assert cells.is_date(cell)
    assert not np.isnat(cells.datetimes([cell])[0])


@pytest.mark.parametrize("cell", ["20/11/2026", "2026", "2026-13-01", "2026-11-20 words", 20261120, "12:30"])
def test_what_is_no_iso_date_is_not_guessed_at(cell: Any) -> None:
    assert np.isnat(cells.datetimes([cell])[0])


def test_years_beyond_the_nanoseconds_are_read() -> None:
    assert str(cells.datetimes(["9999-12-31"])[0]).startswith("9999-12-31")


CELLS = {
    "x": st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-99, 99).map(str)),
    "flag": st.sampled_from([None, True, False, "yes", "No", "TRUE", 1, 0]),
    "when": st.one_of(st.none(), st.dates().map(str), st.datetimes().map(str)),
    "kind": st.one_of(st.none(), st.text(max_size=3), st.integers(0, 9), st.floats(allow_infinity=False)),
}


@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8))
def test_rows_conformed_alone_equal_the_table_conformed_at_once(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in CELLS})
    whole = conform(frame, SCHEMA, origin="t")
    alone = [conform(pd.DataFrame([row]), SCHEMA, origin="t") for row in rows]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), whole, check_exact=True)


def test_conforming_twice_changes_nothing() -> None:
    once = conform(table(), SCHEMA, origin="t")
    pd.testing.assert_frame_equal(conform(once, SCHEMA, origin="t"), once, check_exact=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": ["1", "two", "2x"]}, "test: column 'x' is numeric, expected numbers, but 2 of 3 .*'two' in row 2"),
        ({"flag": [1, 0, 2]}, "column 'flag' is boolean, expected true/false, .*but 1 of 3 .* row 3"),
        ({"when": ["2026-01-01", "soon", None]}, "column 'when' is datetime, expected ISO 8601 .*'soon' in row 2"),
        ({"x": [1.0, np.inf, 2.0]}, "column 'x' has 1 infinite cells, first in row 2"),
        ({"x": [[1], [2], [3]]}, "column 'x' holds list cells"),
        ({"x": pd.to_timedelta([1, 2, 3], unit="s")}, "column 'x' holds timedelta"),
    ],
)
def test_unreadable_cells_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        conform(table(**changes), SCHEMA, origin="test")


def test_every_column_at_fault_is_told_at_once() -> None:
    changes = {"x": ["1", "two", "2x"], "flag": [1, 0, 2], "when": ["2026-01-01", "soon", None]}
    with pytest.raises(DataError) as told:
        conform(table(**changes), SCHEMA, origin="test")
    text = str(told.value)
    assert text.startswith("test: 3 columns cannot be used\n")
    for name, example in (("x", "'two' in row 2"), ("flag", "2 in row 3"), ("when", "'soon' in row 2")):
        assert any(f"column '{name}'" in line and example in line for line in text.splitlines())


def test_not_more_than_ten_columns_at_fault_are_listed() -> None:
    names = [f"c{number}" for number in range(25)]
    schema = SCHEMA.model_copy(update={"columns": tuple(Column(name=name, kind="numeric") for name in names)})
    with pytest.raises(DataError, match="25 columns cannot be used") as told:
        conform(pd.DataFrame({name: [1.0, np.inf] for name in names}), schema, origin="test")
    assert len(str(told.value).splitlines()) == 12
    assert str(told.value).endswith("and 15 more")


def test_all_lacking_columns_are_told_at_once() -> None:
    frame = table().rename(columns={"when": "wen"}).drop(columns="x")
    with pytest.raises(DataError, match=r"test lacks 2 columns .*: 'x'; 'when' \(Did you mean 'wen'\?\)"):
        conform(frame, SCHEMA, origin="test")


def test_a_column_given_twice_is_refused() -> None:
    frame = pd.concat([table(), table()[["x"]]], axis=1)
    with pytest.raises(DataError, match="but x appears more than once"):
        conform(frame, SCHEMA, origin="test")
