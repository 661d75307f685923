"""The zip of a pack as it is written: all or nothing, the same bytes for the same content, in pieces."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from workbench.errors import StoreError
from workbench.exchange.manifest import PackedFile

PIECE = 1 << 20
"""Bytes that are held at a time."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a pack: when it was packed changes nothing."""


@dataclass(frozen=True)
class Writer:
    """A pack that is being written."""

    archive: zipfile.ZipFile

    def copy(self, source: Path, folder: str, path: str) -> PackedFile:
        """Add a file in pieces, and return what the manifest says of it."""
        with source.open("rb") as stream:
            return self._add(iter(lambda: stream.read(PIECE), b""), folder, path)

    def text(self, content: str, folder: str, path: str) -> PackedFile:
        """Add a text."""
        return self._add([content.encode()], folder, path)

    def _add(self, pieces: Iterable[bytes], folder: str, path: str) -> PackedFile:
        entry = zipfile.ZipInfo(f"{folder}/{path}" if folder else path, EPOCH)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        size, digest = 0, hashlib.sha256()
        with self.archive.open(entry, "w", force_zip64=True) as target:
            for piece in pieces:
                target.write(piece)
                digest.update(piece)
                size += len(piece)
        return PackedFile(path=path, size=size, sha256=digest.hexdigest())


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Yield a pack to write, which becomes ``file`` when the block ends well, and goes away when it does not.

    Raises:
        StoreError: it, or what is to go into it, cannot be written or read.
    """
    temporary = file.with_name(f".{file.name}-{uuid4().hex[:8]}")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            yield Writer(archive)
        temporary.replace(file)
    except OSError as error:
        raise StoreError(f"the pack {file} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
