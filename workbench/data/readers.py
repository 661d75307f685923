"""Tables from files, with every way in which a file can be broken told by its name and, where known, its line.

Pandas alone renames duplicate columns, fills short lines with gaps and takes surplus fields for an index, all without
a word; a sweep on such a table would be a sweep on something else than the user's data.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

import pandas as pd

from workbench.data.encodings import check_head, reading_name, undecodable
from workbench.data.table_size import check_fits
from workbench.errors import DataError, nearest

SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
PARQUET = (".parquet", ".pq")


def read_table(
    path: Path, *, text: Collection[str] = (), encoding: str = "utf-8", memory: int | None = None
) -> pd.DataFrame:
    """Read a table: ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or ``.parquet``.

    Columns of ``text`` are read as text, so that identifiers such as ``0012`` stay as they are; names that the file
    lacks are ignored. Text files are in ``encoding``, UTF-8 with or without a byte order mark. What counts as missing
    is what `pandas.read_csv` takes for missing: empty fields, ``NA``, ``NaN``, ``null`` and so on. ``memory`` is how
    many bytes there are for the table; what is free if ``None``.

    Raises:
        DataError: the file is missing, empty, of an unknown type, truncated, in another encoding or too large for the
            memory; a column name appears twice; a line has more or fewer fields than the header.
    """
    if not path.is_file():
        raise DataError(_absent(path))
    name = path.name.lower()
    if name.endswith(PARQUET):
        check_fits(path, separator="", encoding="", memory=memory)
        return _read_parquet(path)
    for suffix, separator in SEPARATORS.items():
        if name.endswith(suffix):
            with _readable(path, encoding):
                check_head(path, encoding)
                check_fits(path, separator=separator, encoding=reading_name(encoding), memory=memory)
                return _read_text(path, separator, text, reading_name(encoding))
    raise DataError(f"{path}: unknown type of table; expected one of {', '.join([*SEPARATORS, PARQUET[0]])}")


def _absent(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; expected the path of a table"
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    where = "" if siblings or path.parent.is_dir() else f" (there is no folder {path.parent} either)"
    return f"{path} does not exist{where}.{nearest(path.name, siblings)}"


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_names(path, [str(name) for name in pq.read_schema(path).names])
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
    return frame.reset_index(drop=True)


def _read_text(path: Path, separator: str, text: Collection[str], encoding: str) -> pd.DataFrame:
    header, first = _first_records(path, separator, encoding)
    _check_names(path, header)
    _check_separator(path, header, separator)
    if len(first) > len(header):  # pandas would take the surplus for an index
        raise DataError(f"{path}, line 2: expected {len(header)} fields as in the header, got {len(first)}")
    frame = pd.read_csv(
        path,
        sep=separator,
        encoding=encoding,
        dtype={name: "str" for name in text if name in header},
        skipinitialspace=True,
        # Without it, large files are typed chunk by chunk; one column can end up with two types.
        low_memory=False,
    )
    # Pandas fills short lines with gaps from the right, so that only a gap in the last column can hide one.
    if len(frame) and frame.iloc[:, -1].isna().any():
        _check_short_lines(path, separator, encoding, len(header))
    return frame


@contextmanager
def _readable(path: Path, encoding: str) -> Iterator[None]:
    """Turn the errors of reading into ours."""
    try:
        yield
    except UnicodeError as error:
        raise DataError(undecodable(path, encoding)) from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty; expected a line of column names, then one line for each row") from error
    except pd.errors.ParserError as error:
        raise DataError(f"{path}{_parser_message(str(error))}") from error
    except csv.Error as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file: {error}; copy or download it again") from error


def _parser_message(message: str) -> str:
    ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if ragged:
        expected, line, got = ragged.groups()
        return f", line {line}: expected {expected} fields as in the header, got {got}; quote fields that hold commas"
    return f" cannot be read: {message.removeprefix('Error tokenizing data. ').strip()}"


def _open(path: Path, encoding: str) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return cast("TextIO", gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def _first_records(path: Path, separator: str, encoding: str) -> tuple[list[str], list[str]]:
    """Return the header and the first row's fields, none of which if there is no row."""
    with _open(path, encoding) as file:
        records = (record for record in csv.reader(file, delimiter=separator, skipinitialspace=True) if record)
        header = next(records, None)
        if header is None:
            raise pd.errors.EmptyDataError
        return header, next(records, [])


def _check_names(path: Path, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1 and name]
    if repeated:
        listed = ", ".join(f"'{name}'" for name in repeated)
        raise DataError(f"{path}: column names must differ, but {listed} appears more than once; rename or remove one")


def _check_separator(path: Path, header: list[str], separator: str) -> None:
    other = next((mark for mark in (";", "\t", ",") if mark != separator and mark in header[0]), None)
    if len(header) == 1 and other is not None:
        shown = {";": "';'", "\t": "tabs", ",": "','"}
        raise DataError(
            f"{path} seems to be separated by {shown[other]}; expected {shown[separator]} from the file's name"
        )


def _check_short_lines(path: Path, separator: str, encoding: str, fields: int) -> None:
    with _open(path, encoding) as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        for record in reader:
            if record and len(record) < fields:
                raise DataError(
                    f"{path}, line {reader.line_num}: expected {fields} fields as in the header, got {len(record)}; "
                    "is the file whole?"
                )
