"""Tables from files: what is read, and how broken files are told."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.readers import read_table
from workbench.errors import DataError

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def call(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return call


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "t.parquet", "T.CSV"])
def test_every_format_gives_the_same_table(tmp_path: Path, write: Write, name: str) -> None:
    frame = pd.DataFrame({"x": [1.5, np.nan], "word": ["a", "b c"], "n": [3, 4]})
    if name.endswith(".parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        write(name, frame.to_csv(index=False, sep="\t" if ".tsv" in name else ","))
    pd.testing.assert_frame_equal(read_table(tmp_path / name), frame)


def test_a_byte_order_mark_is_not_part_of_the_first_name(write: Write) -> None:
    assert list(read_table(write("t.csv", b"\xef\xbb\xbfa,b\n1,2\n")).columns) == ["a", "b"]


def test_text_columns_keep_leading_zeros(write: Write) -> None:
    path = write("t.csv", "id,x\n007,1\n010,2\n")
    assert read_table(path, text=("id", "absent"))["id"].tolist() == ["007", "010"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_numbers_are_read_to_the_last_bit(values: list[float]) -> None:
    text = "x\n" + "\n".join(map(repr, values)) + "\n"
    assert pd.read_csv(io.StringIO(text))["x"].tolist() == values


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", r"t\.csv is empty"),
        ("t.csv", "a,b,a\n1,2,3\n", r"t\.csv: column names must differ, but 'a' appears more than once"),
        ("t.csv", "a,b\n1,2\n1,2,3\n", r"t\.csv, line 3: expected 2 fields as in the header, got 3"),
        ("t.csv", "a,b\n1,2\n1\n3,4\n", r"t\.csv, line 3: expected 2 fields as in the header, got 1"),
        ("t.csv", "a,b\n1,2,3\n4,5,6\n", r"t\.csv, line 2: expected 2 fields as in the header, got 3"),
        ("t.csv", b"a,b\n1,x\n2,\xff\n", r"t\.csv, line 3: not UTF-8"),
        ("t.csv.gz", b"a,b\n1,x\n2,\xff\n", r"t\.csv\.gz, line 3: not UTF-8"),
        ("t.csv", "a;b\n1;2\n", r"t\.csv seems to be separated by ';'"),
        ("t.csv", 'a,b\n1,"x\n2,3\n', r"t\.csv cannot be read: .*EOF inside string"),
        ("t.parquet", "no parquet", r"t\.parquet cannot be read as Parquet"),
        ("t.xlsx", "x", r"t\.xlsx: unknown type of table; expected one of \.csv"),
    ],
)
def test_broken_files_are_named(write: Write, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(name, content))


def test_a_truncated_gzip_file_is_told(write: Write) -> None:
    path = write("t.csv.gz", "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(5000)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_table(path)


def test_a_missing_file_gets_the_nearest_name(write: Write) -> None:
    path = write("train.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"trian\.csv does not exist\. Did you mean 'train\.csv'\?"):
        read_table(path.with_name("trian.csv"))
    with pytest.raises(DataError, match="is a folder"):
        read_table(path.parent)


def test_gaps_in_the_last_column_are_no_short_lines(write: Write) -> None:
    assert read_table(write("t.csv", "a,b\n1,\n2,3\n"))["b"].isna().tolist() == [True, False]
