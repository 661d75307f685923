"""Prepared splits on disk: what one worker has prepared, all of them map, instead of each having a copy of its own.

Beside the data set lies a folder ``prepared-<key>/`` for each preparation of a table, in it ``split<i>/`` with
``numeric.npy``, ``categorical.npy``, the same of the test table, ``preparation.json`` and the seal of them all. It is a
cache: it may be removed at any time, and what is damaged is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import registry
from workbench.data.prepared import Prepared
from workbench.errors import StoreError
from workbench.store import seal
from workbench.store.vault import ARRAY_ERRORS
from workbench.training.prepared_room import make_room, remove, touch
from workbench.training.prepared_split import PreparedSplit
from workbench.types import InputSchema, Schema

FORMAT = 1
LEAST_BYTES = 2**20
"""Of a split: smaller ones are sooner prepared in each worker than written and read."""
WAIT_SECONDS = 300.0
"""How long to wait for another worker that prepares the same split, before preparing it for oneself alone."""
POLL_SECONDS = 0.02
STATE = "preparation.json"


@dataclass(frozen=True)
class PreparedFiles:
    """The prepared splits of one table under one preparation."""

    folder: Path
    preparation: str
    """Name of a built-in."""
    schema: Schema
    inputs: InputSchema
    rows: int
    test_rows: int | None
    steps: int = 0
    """Steps of the family's feature set, none of which learns anything."""

    @property
    def size(self) -> int:
        """Bytes of one split's arrays."""
        cells = 8 * len(self.inputs.numeric) + 4 * len(self.inputs.categorical)
        return (self.rows + (self.test_rows or 0)) * cells

    def get(self, index: int, prepare: Callable[[], PreparedSplit]) -> PreparedSplit:
        """Return a split from its files, which are written where they are absent.

        Workers who want the same one wait for the first. Where it cannot be written, for want of room or for any other
        reason, it is what ``prepare`` gives.
        """
        touch(self.folder)
        found = self._read(index)
        if found is not None or not self._has_room():
            return found or prepare()
        with self._alone(index) as alone:
            if alone and (found := self._read(index, mend=True)) is not None:
                return found
            made = prepare()
            written = alone and self._write(index, made)
        return self._read(index, trusted=written) or made

    def touch(self) -> None:
        """Note that the files are in use: others give way first."""
        touch(self.folder)

    def _has_room(self) -> bool:
        with contextlib.suppress(OSError):
            return make_room(self.folder.parent, self.size, keep=self.folder)
        return False

    @contextlib.contextmanager
    def _alone(self, index: int) -> Iterator[bool]:
        """Hold a split's lock, which is free as soon as its holder ends; say whether one has it."""
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((self.folder / f"split{index}.lock").open("a"))
                locked = _locked(file.fileno())
            except OSError:  # a store that cannot be written, a file system without locks
                locked = False
            yield locked

    def _read(self, index: int, *, mend: bool = False, trusted: bool = False) -> PreparedSplit | None:
        """Return a split from its files, or ``None`` where they are absent or damaged; ``mend`` removes these.

        What is ``trusted``, as this process wrote it just now, is not read as a whole to see whether it is sound.
        """
        folder = self._split(index)
        if not folder.is_dir():
            return None
        try:
            return self._opened(folder, trusted)
        except StoreError:  # too many open files, say, which tells nothing of the split
            return None
        except (*ARRAY_ERRORS, TypeError):
            if mend:
                remove(folder)
            return None

    def _opened(self, folder: Path, trusted: bool) -> PreparedSplit:
        """Map what `_write` wrote.

        Raises:
            ValueError: it is not what was written, or of other shapes.
        """
        if not (folder / seal.FILE).is_file() or (not trusted and seal.broken(folder)):
            raise ValueError(f"{folder} is not what was written")
        preparation = registry.resolve("preparations", self.preparation)
        state = json.loads((folder / STATE).read_text("utf-8"))
        return PreparedSplit(
            preparation.from_state(self.schema, state),
            self._mapped(folder, "", self.rows),
            None if self.test_rows is None else self._mapped(folder, "test_", self.test_rows),
            (None,) * self.steps,
            mapped=True,
        )

    def _mapped(self, folder: Path, part: str, rows: int) -> Prepared:
        numeric = _array(folder / f"{part}numeric.npy", (rows, len(self.inputs.numeric)), np.float64)
        return Prepared(
            numeric, _array(folder / f"{part}categorical.npy", (rows, len(self.inputs.categorical)), np.int32)
        )

    def _write(self, index: int, split: PreparedSplit) -> bool:
        """Write a split's files, all or nothing, and say whether they are there.

        A full disk, or a folder that gave way meanwhile, is no error.
        """
        for leftover in self.folder.glob(f".split{index}-*"):  # of a writer that was killed: the lock is ours
            shutil.rmtree(leftover, ignore_errors=True)
        arrays: dict[str, NDArray[Any]] = {"numeric": split.table.numeric, "categorical": split.table.categorical}
        if split.test is not None:
            arrays |= {"test_numeric": split.test.numeric, "test_categorical": split.test.categorical}
        with contextlib.suppress(OSError):
            prefix = f".split{index}-"
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=prefix, ignore_cleanup_errors=True) as temporary:
                written = Path(temporary) / "split"
                written.mkdir()
                for name, array in arrays.items():
                    np.save(written / f"{name}.npy", array, allow_pickle=False)
                (written / STATE).write_text(json.dumps(split.preparation.state()), "utf-8")
                seal.seal(written)
                written.rename(self._split(index))
            return True
        return False

    def _split(self, index: int) -> Path:
        return self.folder / f"split{index}"


def _array(file: Path, shape: Sequence[int], kind: Any) -> NDArray[Any]:
    """Map an array.

    Raises:
        ValueError: it is not of that shape and type.
    """
    array = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))  # no memmap: its slices would be memmaps too
    if array.shape != tuple(shape) or array.dtype != kind:
        raise ValueError(f"{file} is {array.dtype} {array.shape}, expected {np.dtype(kind)} {tuple(shape)}")
    return array


def _locked(descriptor: int) -> bool:
    """Lock a file, waiting for another holder; say whether it was free in time."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False
