"""A submission is arranged as asked, and refused with exact findings when something is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.delivery.submission import OutputLayout, check_submission, expected_ids, write_submission
from workbench.errors import DataError

VALUE = OutputLayout(columns=("id", "y"), kind="value", id="id", id_source="id")
PROBABILITY = VALUE.model_copy(update={"kind": "probability", "classes": (0, 1)})
LABEL = VALUE.model_copy(update={"kind": "label", "classes": ("no", "yes")})
CLASSES = OutputLayout(
    columns=("id", "a", "b", "c"),
    kind="class_probabilities",
    id="id",
    id_source="id",
    classes=("a", "b", "c"),
    class_columns=("a", "b", "c"),
)


def frame(ids: list[object], y: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "y": y})


@given(st.permutations(list(range(8))), st.sampled_from(["int", "text", "float"]))
def test_rows_are_joined_by_id_into_the_samples_order(order: list[int], kind: str) -> None:
    """Whatever order the sample asks for, and however it writes whole numbers, each id keeps its value."""
    made = frame(list(range(8)), [float(i * i) for i in range(8)])
    asked: list[object] = [{"int": i, "text": str(i), "float": float(i)}[kind] for i in order]
    sample = frame(asked, [0.0] * 8)
    out = Path("submission.csv")
    write_submission(made, out, layout=VALUE, test_ids=range(8), sample=sample)
    written = pd.read_csv(out)
    assert written["id"].tolist() == order
    assert written["y"].tolist() == [float(i * i) for i in order]


def test_without_a_sample_the_test_tables_order_stays(tmp_path: Path) -> None:
    ids = ["007", "03", "x"]
    out = write_submission(frame(ids, [1.0, 2.0, 1 / 3]), tmp_path / "deep" / "s.csv", layout=VALUE, test_ids=ids)
    assert out.read_text() == f"id,y\n007,1.0\n03,2.0\nx,{1 / 3!r}\n"


def test_positions_take_the_samples_ids_row_by_row(tmp_path: Path) -> None:
    layout = VALUE.model_copy(update={"id_source": None})
    sample = frame([1461, 1463, 1462], [0.0] * 3)
    out = write_submission(frame([0, 1, 2], [5.0, 6.0, 7.0]), tmp_path / "s.csv", layout=layout, sample=sample)
    assert pd.read_csv(out)["id"].tolist() == [1461, 1463, 1462]


def test_a_sample_of_the_first_rows_gives_columns_only() -> None:
    assert expected_ids(VALUE, [1, 2, 3], frame([2], [0.0])) == [1, 2, 3]


def test_a_sample_that_asks_for_unknown_ids_is_told_before_anything_is_predicted() -> None:
    with pytest.raises(DataError, match=r"asks for 1 ids that the test table does not have, such as '9'"):
        expected_ids(VALUE, [1, 2], frame([2, 9], [0.0, 0.0]))


@pytest.mark.parametrize(
    ("made", "layout", "message"),
    [
        (frame([1, 2], [0.0, 0.0]), VALUE, "1 ids are lacking, such as '3'"),
        (frame([1, 2, 2], [0.0] * 3), VALUE, "1 ids are repeated, such as '2'; 1 ids are lacking"),
        (frame([1, 2, 4], [0.0] * 3), VALUE, "1 ids were not asked for, such as '4'"),
        (frame([2, 1, 3], [0.0] * 3), VALUE, "out of order from row 1 on: '2', expected '1'"),
        (frame([1, None, 3], [0.0] * 3), VALUE, "1 rows have no id"),
        (frame([1, 2, 3], [0.0, np.nan, 0.0]), VALUE, "column 'y' has 1 gaps, first in row 2"),
        (frame([1, 2, 3], [0.0, np.inf, 0.0]), VALUE, "1 infinite cells"),
        (frame([1, 2, 3], ["a", "b", "c"]), VALUE, "expected numbers"),
        (frame([1, 2, 3], [0.0, 1.5, -0.1]), PROBABILITY, "2 probabilities outside 0 to 1, such as 1.5"),
        (frame([1, 2, 3], ["no", "maybe", "yes"]), LABEL, "1 labels are not classes: 'maybe'"),
        (frame([1, 2, 3], ["no", None, "yes"]), LABEL, "column 'y' has 1 gaps"),
        (frame([1, 2, 3], [0.0] * 3)[["y", "id"]], VALUE, r"columns are \['y', 'id'\], expected \['id', 'y'\]"),
    ],
)
def test_what_is_wrong_is_named(made: pd.DataFrame, layout: OutputLayout, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_submission(made, layout, [1, 2, 3])


def test_class_probabilities_must_sum_to_one() -> None:
    made = pd.DataFrame({"id": [1, 2], "a": [0.2, 0.5], "b": [0.3, 0.5], "c": [0.5, 0.1]})
    with pytest.raises(DataError, match=r"of 1 rows do not sum to 1, such as 1\.1 in row 2"):
        check_submission(made, CLASSES, [1, 2])
    check_submission(made.iloc[:1], CLASSES, [1])


def test_valid_submissions_pass() -> None:
    check_submission(frame([1, 2, 3], [0.0, 1.0, 0.5]), PROBABILITY, [1, 2, 3])
    check_submission(frame([1, 2, 3], ["no", "yes", "no"]), LABEL, np.array([1, 2, 3]))


def test_rows_are_counted_where_there_is_no_id() -> None:
    layout = OutputLayout(columns=("y",), kind="value")
    with pytest.raises(DataError, match="2 rows, expected 3"):
        check_submission(pd.DataFrame({"y": [1.0, 2.0]}), layout, [1, 2, 3])


def test_an_invalid_submission_leaves_the_old_file(tmp_path: Path) -> None:
    out = write_submission(frame([1], [1.0]), tmp_path / "s.csv", layout=VALUE, test_ids=[1])
    before = out.read_bytes()
    with pytest.raises(DataError, match="gaps"):
        write_submission(frame([1], [np.nan]), out, layout=VALUE, test_ids=[1])
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]
