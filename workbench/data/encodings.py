"""Encodings of text tables: what a file's first bytes say, and a guess for those that are not what was expected."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

from workbench.errors import DataError

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark its own begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
HEAD = 4096
SHOWN = 60


def reading_name(encoding: str) -> str:
    """Return the codec to read with: UTF-8 with or without a byte order mark is one encoding."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def check_head(path: Path, encoding: str) -> None:
    """Refuse a file whose first bytes say that it is in another encoding.

    Raises:
        DataError: names the encoding and the key to set.
    """
    head = _content(path, HEAD)
    expected = codecs.lookup(encoding).name
    found = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    if found is not None and not expected.startswith(found):
        raise DataError(f"{path} begins with the mark of {found.upper()}, expected {expected}; {_advice(found)}")
    if found is None and b"\0" in head and not expected.startswith(("utf-16", "utf-32")):
        raise DataError(f"{path} holds zero bytes, expected {expected}; it is {_wide(head)}")


def _wide(head: bytes) -> str:
    """Latin text in UTF-16 has a zero in every second byte; in which ones tells the order of bytes."""
    zeros = [head[start::2].count(0) for start in (0, 1)]
    if max(zeros) < len(head) // 4:
        return "no table of text"
    name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return f"probably {name.upper()}: {_advice(name)}"


def undecodable(path: Path, encoding: str) -> str:
    """Return what to say of a file that cannot be read in ``encoding``: the first line at fault, and a guess.

    Any bytes are text in some encoding of one byte a character; which one only the reader of the words can tell. So
    the guess is the most common one, Windows' Western European, with the line as it reads then.
    """
    content = _content(path)
    number, line = _first_fault(content, encoding)
    said = f"{path}, line {number}: not {encoding.upper()}; "
    if codecs.lookup(encoding).name == "cp1252":
        return said + "set data.encoding to the file's encoding, or save the file as UTF-8"
    try:
        read = line.decode("cp1252").strip()
    except UnicodeDecodeError:
        return said + (
            "set data.encoding to the file's encoding (it is not cp1252; perhaps shift_jis, gb18030, cp1251 or "
            "latin-1), or save the file as UTF-8"
        )
    shown = read if len(read) <= SHOWN else f"{read[:SHOWN]}…"
    return said + (
        f"probably it is cp1252, in which the line reads {shown!r}: {_advice('cp1252')}; where that is wrong, try "
        "others, such as cp1250, cp1251, shift_jis or gb18030"
    )


def _first_fault(content: bytes, encoding: str) -> tuple[int, bytes]:
    """Return the number, from 1, and the bytes of the first line that cannot be decoded."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        start = content.rfind(b"\n", 0, error.start) + 1
        end = content.find(b"\n", error.start)
        return content.count(b"\n", 0, error.start) + 1, content[start : end if end >= 0 else None]
    return 1, content[:SHOWN]


def _advice(encoding: str) -> str:
    return f"set 'data.encoding: {encoding}', or save the file as UTF-8"


def _content(path: Path, size: int = -1) -> bytes:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        return file.read(size)
