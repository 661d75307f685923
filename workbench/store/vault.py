"""The vault: predictions and fold bundles on disk, addressed by what produced them (the fit key).

A fit's folder holds ``result.json``, ``oof.npz`` (``split0`` …: the validation rows of each split in plan order,
``(rows, outputs)``), ``test-<test key>.npy`` (``(test rows, outputs)``: the mean over splits), and a bundle folder
``split<i>/`` for each split. It is renamed into place when it is whole, so a folder that exists is complete.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from workbench.errors import StoreError
from workbench.types import TrialResult

Array = NDArray[np.float64]


class Vault:
    """Fits by key, under a folder."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``; it is made when something is written."""
        self.root = root

    def folder(self, fit_key: str) -> Path:
        """Return where a fit is, or would be."""
        return self.root / fit_key[:2] / fit_key

    def has(self, fit_key: str) -> bool:
        """Say whether a fit is there and can be read; a damaged one is set aside and does not count."""
        folder = self.folder(fit_key)
        if not folder.is_dir():
            return False
        try:
            self.result(fit_key)
            self.oof(fit_key)
        except StoreError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
                raise  # too many open files, say: the fit may be sound
            self._set_aside(folder)
            return False
        return True

    @contextlib.contextmanager
    def writing(self, fit_key: str) -> Iterator[Path]:
        """Yield an empty folder that becomes the fit's when the block ends well, and goes away when it does not.

        Where two processes finish the same fit, the first one stays.
        """
        final = self.folder(fit_key)
        temporary = self.root / "tmp" / f"{fit_key}-{uuid.uuid4().hex[:8]}"
        try:
            temporary.mkdir(parents=True)
            yield temporary
            final.parent.mkdir(parents=True, exist_ok=True)
            if not self.has(fit_key):
                self._move(temporary, final)
        except OSError as error:
            raise StoreError(f"the vault {self.root} cannot be written: {error}") from error
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
        except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def test(self, fit_key: str, test_key: str) -> Array:
        """Return the predictions of a test table, ``(test rows, outputs)``: the mean over splits."""
        path = self.folder(fit_key) / f"test-{test_key}.npy"
        try:
            array: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        return array

    def keep_bundles(self, fit_keys: Sequence[str], among: Sequence[str]) -> None:
        """Remove the fold bundles of the fits ``among`` that are not in ``fit_keys``; predictions always stay."""
        for fit_key in set(among) - set(fit_keys):
            for bundle in self.folder(fit_key).glob("split*"):
                shutil.rmtree(bundle, ignore_errors=True)

    def _move(self, temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was faster
                raise

    def _set_aside(self, folder: Path) -> None:
        aside = self.root / "damaged" / f"{folder.name}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside)


def write_predictions(folder: Path, oof: Sequence[NDArray[Any]], test: NDArray[Any] | None, test_key: str) -> None:
    """Write a fit's predictions into the folder that `Vault.writing` yields."""
    splits: dict[str, Any] = {f"split{i}": np.asarray(part, dtype=np.float64) for i, part in enumerate(oof)}
    np.savez(folder / "oof.npz", **splits)
    if test is not None:
        np.save(folder / f"test-{test_key}.npy", np.asarray(test, dtype=np.float64), allow_pickle=False)


def write_result(folder: Path, result: TrialResult) -> None:
    """Write a fit's result into the folder that `Vault.writing` yields."""
    (folder / "result.json").write_text(json.dumps(result.model_dump(mode="json"), indent=1) + "\n", "utf-8")
