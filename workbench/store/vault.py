"""The vault: predictions and fold bundles on disk, addressed by what produced them (the fit key).

A fit's folder holds ``result.json``, ``oof.npz`` (``split0`` …: the validation rows of each split in plan order,
``(rows, outputs)``), ``test-<test key>.npy`` (``(test rows, outputs)``: the mean over splits), a bundle folder
``split<i>/`` for each split, and ``sums.json``, the checksums of all these. It is renamed into place when it is whole,
so a folder that exists is complete; what has changed since is damaged, and is set aside below ``damaged/``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from workbench.errors import StoreError
from workbench.store.disk import NOTHING_MB, free_mb, is_full
from workbench.store.owner import this_process
from workbench.store.seal import broken, seal, unseal
from workbench.types import TrialResult

Array = NDArray[np.float64]

TEMPORARY, DAMAGED, CHECKPOINTS = "tmp", "damaged", "checkpoints"
"""Folders of fits that are being written, of those that were set aside, and of trainings that may be taken up."""

PART = "part-"
"""How the names begin of files that are being added to a fit or removed from it."""

ARRAY_ERRORS = (OSError, ValueError, KeyError, EOFError, BadZipFile, NotImplementedError, RuntimeError, TokenError)
"""What numpy raises on files of arrays that are truncated or garbage."""


def remove_checkpoints(vault: Path, fit_key: str) -> None:
    """Remove the checkpoints of a fit that nobody goes on with, such as a pruned one."""
    shutil.rmtree(vault / CHECKPOINTS / fit_key, ignore_errors=True)


class Vault:
    """Fits by key, under a folder."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``; it is made when something is written."""
        self.root = root

    def folder(self, fit_key: str) -> Path:
        """Return where a fit is, or would be."""
        return self.root / fit_key[:2] / fit_key

    def fit_keys(self) -> list[str]:
        """Return the keys of all fits that are there, sound or not."""
        return sorted(folder.name for folder in self.root.glob("??/*") if folder.name[:2] == folder.parent.name)

    def has(self, fit_key: str) -> bool:
        """Say whether a fit is there and sound; a damaged one is set aside and does not count.

        Raises:
            StoreError: it cannot be read for a reason that says nothing of it, such as too many open files.
        """
        folder = self.folder(fit_key)
        if not folder.is_dir():
            return False
        if self.damage(fit_key) and self.damage(fit_key):  # bundles that go while they are read are no damage
            self._set_aside(folder)
            return False
        return True

    def damage(self, fit_key: str) -> str:
        """Return what is wrong with a fit, or an empty string; nothing is changed.

        Raises:
            StoreError: it cannot be read for a reason that says nothing of it.
        """
        folder = self.folder(fit_key)
        if not folder.is_dir():
            return "it is absent"
        try:
            self.result(fit_key)
            self.oof(fit_key)
        except StoreError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
                raise  # too many open files, say: the fit may be sound
            return str(error)
        return broken(folder)

    def lost(self, fit_key: str) -> bool:
        """Say whether a fit was damaged and set aside, and has not been made anew."""
        aside = (folder.name.rpartition("-")[0] for folder in (self.root / DAMAGED).glob(f"{fit_key}-*"))
        return fit_key in aside and not self.has(fit_key)

    @contextlib.contextmanager
    def writing(self, fit_key: str) -> Iterator[Path]:
        """Yield an empty folder that becomes the fit's when the block ends well, and goes away when it does not.

        Where two processes finish the same fit, the first one stays.

        Raises:
            StoreError: it cannot be written. Where the disk is full, `workbench.store.disk.is_full` says so of it.
        """
        final = self.folder(fit_key)
        temporary = self.root / TEMPORARY / f"{fit_key}~{uuid.uuid4().hex[:8]}~{this_process().replace(':', '+')}"
        try:
            temporary.mkdir(parents=True)
            yield temporary
            seal(temporary)
            final.parent.mkdir(parents=True, exist_ok=True)
            if not self.has(fit_key):
                self._move(temporary, final)
        except Exception as error:
            if not is_full(error) and _disk_full(self.root):  # a library that does not say why its write failed
                cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
                raise StoreError(f"the vault {self.root} cannot be written: {error} ({cause})") from cause
            if isinstance(error, OSError):
                raise StoreError(f"the vault {self.root} cannot be written: {error}") from error
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def result(self, fit_key: str) -> TrialResult:
        """Return a fit's result.

        Raises:
            StoreError: the file is absent or damaged.
        """
        path = self.folder(fit_key) / "result.json"
        try:
            return TrialResult.model_validate_json(path.read_text("utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def oof(self, fit_key: str) -> list[Array]:
        """Return the out-of-fold predictions of each split, ``(validation rows, outputs)``."""
        path = self.folder(fit_key) / "oof.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return [arrays[f"split{i}"] for i in range(len(arrays.files))]
        except ARRAY_ERRORS as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def test(self, fit_key: str, test_key: str) -> Array:
        """Return the predictions of a test table, ``(test rows, outputs)``: the mean over splits."""
        path = self.folder(fit_key) / f"test-{test_key}.npy"
        try:
            array: Array = np.load(path, allow_pickle=False)
        except ARRAY_ERRORS as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        return array

    def has_test(self, fit_key: str, test_key: str) -> bool:
        """Say whether a fit has predictions of a test table."""
        return (self.folder(fit_key) / f"test-{test_key}.npy").is_file()

    def set_test(self, fit_key: str, test_key: str, predictions: Array | None) -> None:
        """Give a fit predictions of a test table, ``(test rows, outputs)``, or take them away.

        Raises:
            StoreError: they cannot be written.
        """
        folder, name = self.folder(fit_key), f"test-{test_key}.npy"
        temporary = folder / f"{PART}{uuid.uuid4().hex[:8]}-{name}"
        try:
            unseal(folder, {name})
            if predictions is None:
                (folder / name).unlink(missing_ok=True)
                return
            np.save(temporary, predictions, allow_pickle=False)
            temporary.replace(folder / name)
        except (OSError, ValueError) as error:
            raise StoreError(f"{folder / name} cannot be written: {error}") from error

    def keep_bundles(self, fit_keys: Sequence[str], among: Sequence[str]) -> None:
        """Remove the fold bundles of the fits ``among`` that are not in ``fit_keys``; predictions always stay."""
        for fit_key in set(among) - set(fit_keys):
            folder = self.folder(fit_key)
            bundles = list(folder.glob("split*"))
            if not bundles:
                continue
            with contextlib.suppress(OSError, ValueError):  # where it cannot be unsealed now, the bundles stay
                unseal(folder, {bundle.name for bundle in bundles})
                for bundle in bundles:  # first out of the way: one that is half removed must not look whole
                    gone = bundle.rename(folder / f"{PART}{bundle.name}-{uuid.uuid4().hex[:8]}")
                    shutil.rmtree(gone, ignore_errors=True)

    def _move(self, temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was faster
                raise

    def _set_aside(self, folder: Path) -> None:
        aside = self.root / DAMAGED / f"{folder.name}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside)


def _disk_full(root: Path) -> bool:
    try:
        return free_mb(root) < NOTHING_MB
    except OSError:
        return False


def write_predictions(folder: Path, oof: Sequence[NDArray[Any]], test: NDArray[Any] | None, test_key: str) -> None:
    """Write a fit's predictions into the folder that `Vault.writing` yields."""
    splits: dict[str, Any] = {f"split{i}": np.asarray(part, dtype=np.float64) for i, part in enumerate(oof)}
    np.savez(folder / "oof.npz", **splits)
    if test is not None:
        np.save(folder / f"test-{test_key}.npy", np.asarray(test, dtype=np.float64), allow_pickle=False)


def write_result(folder: Path, result: TrialResult) -> None:
    """Write a fit's result into the folder that `Vault.writing` yields."""
    (folder / "result.json").write_text(json.dumps(result.model_dump(mode="json"), indent=1) + "\n", "utf-8")
