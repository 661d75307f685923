"""Tables from files: what is read, and how broken files are told."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import table_size
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


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-32", "latin-1", "UTF8"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_other_encodings_are_read_when_named(write: Write, name: str, encoding: str) -> None:
    frame = read_table(write(name, "größe,x\nCafé,1\n".encode(encoding)), encoding=encoding)
    assert frame.to_dict("list") == {"größe": ["Café"], "x": [1]}


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        ("a,b\nCafé,1\n".encode("cp1252"), "utf-8", r"line 2: not UTF-8; probably it is cp1252.* 'Café,1': set 'data"),
        ("a,b\n1,Ł\n".encode("utf-16"), "utf-8", r"begins with the mark of UTF-16, .*set 'data\.encoding: utf-16'"),
        ("a,b\n1,Ł\n".encode("utf-32"), "utf-8", r"begins with the mark of UTF-32, .*set 'data\.encoding: utf-32'"),
        ("a,b\n1,Ł\n".encode("utf-16-le"), "utf-8", r"probably UTF-16-LE: set 'data\.encoding: utf-16-le'"),
        ("a,b\n1,Ł\n".encode("utf-16-be"), "utf-8", r"probably UTF-16-BE: set 'data\.encoding: utf-16-be'"),
        ("a,b\n1,Ł\n".encode("utf-8-sig"), "cp1252", r"mark of UTF-8, expected cp1252; set 'data\.encoding: utf-8'"),
        ("a,b\n1,前提\n".encode("shift_jis"), "utf-8", r"line 2: not UTF-8; .* shift_jis"),
        ("a,b\n1,Ł\n".encode(), "ascii", r"line 2: not ASCII; "),
        (b"a,b\n1,\x81\n", "cp1252", r"line 2: not CP1252; set data\.encoding"),
    ],
)
def test_another_encoding_is_told_with_the_key_to_set(
    write: Write, content: bytes, encoding: str, message: str
) -> None:
    for name in ("t.csv", "t.csv.gz"):
        with pytest.raises(DataError, match=message):
            read_table(write(name, content), encoding=encoding)


def big_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = 60_000
    words = np.array([f"word {number}" for number in range(5000)])
    return pd.DataFrame(
        {"x": rng.normal(size=rows), "n": rng.integers(0, 9, rows), "w": words[rng.integers(0, 5000, rows)]}
    )


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_table_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path, name: str) -> None:
    frame, path = big_table(), tmp_path / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
    rows, needed = table_size.estimate(path, separator="" if name.endswith("parquet") else ",", encoding="utf-8")
    assert rows == pytest.approx(len(frame), rel=0.1)
    used = int(frame.memory_usage(deep=True).sum()) * table_size.COPIES
    assert used / 3 < needed < used * 3
    with pytest.raises(
        DataError, match=r"is too large: .* rows need about .* of memory .* but 1\.0 MB are free; write"
    ):
        read_table(path, memory=1_000_000)
    assert len(read_table(path, memory=10 * needed)) == len(frame)


def test_huge_files_are_refused_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    path.write_text("a,b\n" + "1.5,2.5\n" * 200_000)
    with path.open("r+b") as file:
        file.truncate(2**40)  # a terabyte that takes no room on the disk
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"huge\.csv is too large: 1\d\d,\d{3},\d{3},\d{3} rows need about"):
        read_table(path)
    assert time.perf_counter() - start < 5.0


def test_a_control_groups_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 100\n")
    assert table_size.group_left(tmp_path) == 400
    (tmp_path / "memory.max").write_text("max\n")
    assert table_size.group_left(tmp_path) is None
    assert 0 < table_size.available() <= psutil.virtual_memory().total
