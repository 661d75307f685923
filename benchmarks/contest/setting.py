"""What every contender gets: a numeric matrix, classes, folds, a list of values, and how long to train."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SPLITS, EPOCHS, BATCH = 5, 15, 256
WIDTHS = (64, 128, 256)
DEFAULTS: dict[str, Any] = {"lr": 1e-3, "dropout": 0.1, "width": 128}
"""The first of the list: what is tried first here is always a factory's defaults."""
SEED = 20
GENERATED = (50_000, 6, 102)
"""Rows, numbers and binary columns of the generated equivalent: as the census' table, encoded."""


@dataclass(frozen=True)
class Setting:
    """A contest's folder: ``data.npz`` and ``setting.json``."""

    folder: Path
    values: tuple[dict[str, Any], ...]
    repeats: int = 1
    """Each trial trains so many times on every fold; for ours the folds of each repeat are others."""

    @cached_property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        """``x`` ``(rows, features)`` float32, ``y`` ``(rows,)`` of 0 and 1, and each row's fold ``(rows,)``."""
        with np.load(self.folder / "data.npz", allow_pickle=False) as arrays:
            return arrays["x"], arrays["y"], arrays["fold"]

    def parts(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Yield who is trained on and who is validated, by split."""
        fold = self.arrays[2]
        for split in self.repeats * list(range(SPLITS)):
            yield fold != split, fold == split

    @classmethod
    def read(cls, folder: Path) -> Setting:
        """Return the contest of a folder that `write` made."""
        told = json.loads((folder / "setting.json").read_text("utf-8"))
        return cls(folder, tuple(told["values"]), told["repeats"])


@dataclass(frozen=True)
class Answer:
    """What a contender says of itself: seconds from the first ask to the last trial's end, and a score a trial."""

    search_s: float
    scores: tuple[float, ...]
    note: str = ""

    def write(self, folder: Path) -> None:
        """Write it for `read`."""
        (folder / "answer.json").write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Answer:
        """Return what was written."""
        return cls(**json.loads((folder / "answer.json").read_text("utf-8")))


def write(folder: Path, rows: int, trials: int, repeats: int = 1) -> Setting:
    """Make a contest of the first ``rows`` rows, or of as many as there are, in an empty folder."""
    folder.mkdir(parents=True)
    x, y = _table()
    order = np.random.default_rng(SEED).permutation(len(y))[:rows]
    x, y = x[order], y[order]
    np.savez(folder / "data.npz", x=x, y=y, fold=_folds(y))
    (folder / "setting.json").write_text(json.dumps({"values": search_values(trials), "repeats": repeats}), "utf-8")
    return Setting.read(folder)


def search_values(trials: int) -> list[dict[str, Any]]:
    """Return so many configurations; fewer are the beginning of more."""
    rng = np.random.default_rng(SEED)
    drawn = [
        {
            "lr": float(10.0 ** rng.uniform(-4.0, -2.0)),
            "dropout": float(rng.uniform(0.0, 0.5)),
            "width": int(rng.choice(WIDTHS)),
        }
        for _ in range(trials - 1)
    ]
    return [DEFAULTS, *drawn]


def log_loss(y: NDArray[np.int32], probability: NDArray[Any]) -> float:
    """Return the mean negative log likelihood of ``y`` ``(rows,)`` of 0 and 1."""
    p = np.clip(probability.reshape(-1).astype(np.float64), 1e-7, 1.0 - 1e-7)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def _folds(y: NDArray[np.int32]) -> NDArray[np.int32]:
    """Deal each class out in turn; the rows are in random order."""
    fold = np.zeros(len(y), dtype=np.int32)
    for label in (0, 1):
        where = np.flatnonzero(y == label)
        fold[where] = np.arange(len(where)) % SPLITS
    return fold


def _table() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the census' table with columns encoded beforehand, or a generated one where it is absent."""
    folder = Path(os.environ.get("WORKBENCH_SHARED_DATA", "../shared/data")) / "adult_income"
    if not folder.is_dir():
        return _generated()
    frame = pd.concat([pd.read_csv(folder / f"{part}.csv.gz") for part in ("train", "test")], ignore_index=True)
    y = np.asarray(frame.pop("income") == ">50K", dtype=np.int32)
    numbers = frame.select_dtypes("number")
    flags = pd.get_dummies(frame.drop(columns=numbers.columns), dtype=np.float32)
    scaled = (numbers - numbers.mean()) / numbers.std()
    return np.hstack([scaled.to_numpy(np.float32), flags.to_numpy(np.float32)]), y


def _generated() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    rows, numbers, flags = GENERATED
    rng = np.random.default_rng(SEED)
    x = np.hstack([rng.normal(size=(rows, numbers)), rng.random((rows, flags)) < 0.08]).astype(np.float32)
    hidden = np.tanh(x @ rng.normal(size=(x.shape[1], 16)))
    chance = 1.0 / (1.0 + np.exp(1.2 - 0.8 * hidden @ rng.normal(size=16)))
    return x, (rng.random(rows) < chance).astype(np.int32)
