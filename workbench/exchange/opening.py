"""The zip of a pack as it is read: as if an enemy had written it.

Nothing is ever extracted by a name that the zip gives: paths are those of the manifest, which allows few, and each file
is copied in pieces up to its declared size, and compared with its checksum.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from workbench.errors import DataError, StoreError
from workbench.exchange.archive import PIECE
from workbench.exchange.manifest import CODE, FILE, FITS, MAX_FILES, VERSION, Manifest, PackedFile, PackedTrial
from workbench.store.disk import LITTLE_MB, free_mb

MANIFEST_BYTES = 64 * 2**20
RATIO, SLACK = 100, 64 * 2**20
"""A pack unpacks to at most so many times its size, and so many bytes; predictions and models do not come near it."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError)
"""What zipfile and json raise on what is damaged, encrypted, nested too deep, or compressed by other means."""


@dataclass(frozen=True)
class Pack:
    """A pack that has been looked at: its list is whole, and its entries are those that the list names."""

    file: Path
    archive: zipfile.ZipFile
    manifest: Manifest
    entries: dict[str, zipfile.ZipInfo] = field(repr=False)

    def extract(self, trial: PackedTrial, folder: Path) -> None:
        """Write a trial's files below a folder.

        Raises:
            DataError: a file is not what the manifest says.
        """
        for file in trial.files:
            self._copy(f"{FITS}/{trial.fit_key}/{file.path}", file, folder / file.path)

    def extract_code(self, root: str, folder: Path) -> None:
        """Write the files below ``code/<n>`` into a folder.

        Raises:
            DataError: a file is not what the manifest says.
        """
        for file in self.code_of(root):
            self._copy(f"{CODE}/{file.path}", file, folder / file.path.partition("/")[2])

    def code_of(self, root: str) -> tuple[PackedFile, ...]:
        """Return the files below ``code/<n>``."""
        number = root.partition("/")[2]
        return tuple(file for file in self.manifest.code if file.path.startswith(f"{number}/"))

    def _copy(self, name: str, file: PackedFile, target: Path) -> None:
        digest, left = hashlib.sha256(), file.size
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.archive.open(self.entries[name]) as source, target.open("xb") as copy:
                while piece := source.read(min(PIECE, left + 1)):
                    left -= len(piece)
                    if left < 0:
                        raise DataError(f"{name} is larger than the {file.size:,} bytes that the pack says")
                    digest.update(piece)
                    copy.write(piece)
        except UNREADABLE as error:
            raise DataError(f"{name} is damaged: {error}") from error
        if left or digest.hexdigest() != file.sha256:
            raise DataError(f"{name} is not what was packed: its checksum or size differs")


@contextmanager
def opened(file: Path) -> Iterator[Pack]:
    """Open a pack and look at all that can be seen without unpacking it.

    Raises:
        DataError: it is no pack, damaged, of a newer version, or not to be trusted; nothing was written.
    """
    with _zip(file) as archive:
        entries = _entries(file, archive)
        manifest = _manifest(file, archive, entries)
        _compare(file, manifest, entries)
        yield Pack(file, archive, manifest, entries)


def _zip(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except FileNotFoundError as error:
        raise DataError(f"there is no pack {file}; 'workbench pack DIR -o NAME.wbz' writes one") from error
    except UNREADABLE as error:
        raise DataError(f"{file} is no pack, or was cut off on its way: {error}; have it sent again") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error


def check_room(file: Path, manifest: Manifest, store: Path) -> None:
    """Raise `StoreError` where what a pack unpacks to does not fit on the store's disk."""
    needed, free = _unpacked(manifest) / 2**20, free_mb(store)
    if needed + LITTLE_MB > free:
        raise StoreError(f"{file} unpacks to {needed:,.0f} MiB, and {free:,.0f} MiB are free at {store}; free some")


def _entries(file: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    if len(archive.infolist()) > MAX_FILES + 1:
        raise _refused(file, f"it has more than {MAX_FILES} entries")
    for entry in archive.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.filename in found:
            raise _refused(file, f"it has two entries {entry.filename[:120]!r}")
        if kind not in (0, stat.S_IFREG) or entry.is_dir():
            raise _refused(file, f"its entry {entry.filename[:120]!r} is a link, a folder or a device, and no file")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise _refused(file, f"its entry {entry.filename[:120]!r} is encrypted, or compressed by other means")
        found[entry.filename] = entry
    return found


def _manifest(file: Path, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> Manifest:
    entry = entries.get(FILE)
    if entry is None:
        raise DataError(f"{file} is a zip without {FILE}, and so no pack; 'workbench pack DIR -o NAME.wbz' writes one")
    if entry.file_size > MANIFEST_BYTES:
        raise _refused(file, f"its {FILE} has {entry.file_size:,} bytes")
    try:
        with archive.open(entry) as stream:
            text = stream.read(MANIFEST_BYTES + 1)
        _check_version(file, text)
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:120]
        raise _refused(file, f"its {FILE} is not valid: {where}: {first['msg'][:200]}") from error
    except UNREADABLE as error:
        raise DataError(f"{file}: its {FILE} cannot be read: {error}; have it sent again") from error
    if said := manifest.problem():
        raise _refused(file, said)
    return manifest


def _check_version(file: Path, text: bytes) -> None:
    """Refuse another version before the fields are looked at: a newer one has others."""
    content = json.loads(text)
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, int) or version < 1:
        raise _refused(file, f"its {FILE} names no version")
    if version > VERSION:
        raise DataError(f"{file} is a pack of version {version}, this program knows up to {VERSION}: upgrade workbench")


def _compare(file: Path, manifest: Manifest, entries: dict[str, zipfile.ZipInfo]) -> None:
    """Refuse entries that the list does not name, files that are not there, and what unpacks to far more than it is."""
    listed = {f"{CODE}/{each.path}": each.size for each in manifest.code}
    for trial in manifest.trials:
        listed |= {f"{FITS}/{trial.fit_key}/{each.path}": each.size for each in trial.files}
    for name in sorted(entries.keys() - listed.keys() - {FILE}):
        raise _refused(file, f"it has an entry {name[:120]!r} that its list does not name")
    for name, size in listed.items():
        if name not in entries:
            raise _refused(file, f"{name} is on its list and not there")
        if entries[name].file_size != size:
            raise _refused(file, f"{name} has {entries[name].file_size:,} bytes, its list says {size:,}")
    most = RATIO * file.stat().st_size + SLACK
    if _unpacked(manifest) > most:
        raise _refused(file, f"it says that it unpacks to {_unpacked(manifest):,} bytes, {most:,} at most are believed")


def _unpacked(manifest: Manifest) -> int:
    fits = sum(file.size for trial in manifest.trials for file in trial.files)
    return fits + sum(file.size for file in manifest.code)


def _refused(file: Path, why: str) -> DataError:
    return DataError(f"{file} is refused: {why}; nothing of it was taken. Have it packed and sent again")
