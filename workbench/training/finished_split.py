"""A finished split in a checkpoint: its numbers, predictions and bundle, so that it is not trained again."""

from __future__ import annotations

import json
import shutil
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import StoreError
from workbench.store.seal import broken, seal
from workbench.training.outcome import Outcome

FILE, BUNDLE = "outcome.json", "bundle"
ABOUT = ("score", "best_epoch", "epochs", "fit_s", "predict_s", "weights", "values", "told")


def write_outcome(folder: Path, outcome: Outcome, test_key: str) -> None:
    """Write a split all or nothing; where two attempts finish the same one, the first stays.

    Raises:
        OSError: it cannot be written.
    """
    temporary = folder.with_name(f"part-{uuid.uuid4().hex[:8]}-{folder.name}")
    try:
        temporary.mkdir(parents=True)
        np.save(temporary / "oof.npy", outcome.oof, allow_pickle=False)
        if outcome.test is not None:
            np.save(temporary / f"test-{test_key}.npy", outcome.test, allow_pickle=False)
        outcome.write(temporary / BUNDLE)
        about = {name: getattr(outcome, name) for name in ABOUT}
        (temporary / FILE).write_text(json.dumps(about), "utf-8")
        seal(temporary)
        if not folder.is_dir():
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_outcome(folder: Path, index: int, rows: int, test_key: str | None) -> Outcome | None:
    """Return a split that `write_outcome` wrote; ``None`` where there is none, or none with this test table.

    Args:
        folder: of the split.
        index: number of the split.
        rows: how many rows it validates.
        test_key: of the test table; ``None`` without one.

    Raises:
        StoreError: a file was changed or is absent.
    """
    if not folder.is_dir():
        return None
    try:
        if damage := broken(folder):
            raise ValueError(damage)
        about: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
        test = None if test_key is None else folder / f"test-{test_key}.npy"
        if test is not None and not test.is_file():
            return None
        oof = np.load(folder / "oof.npy", allow_pickle=False)
        if len(oof) != rows:
            raise ValueError(f"it has {len(oof)} predictions, expected {rows}")
        tested = None if test is None else np.load(test, allow_pickle=False)
        write = partial(shutil.copytree, folder / BUNDLE)
        return Outcome(index=index, oof=oof, test=tested, truncated=False, write=write, **about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder}: {error}") from error
