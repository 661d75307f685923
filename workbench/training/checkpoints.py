"""What an attempt leaves behind for the next one at the same fit: finished splits, and the epoch that it had reached.

They lie in ``<vault>/checkpoints/<fit key>/``: a folder ``split<i>`` for each finished split
(`workbench.training.finished_split`), and ``epoch<i>.npz`` of a split under way (`workbench.training.epoch_state`). An
attempt that goes on from there gives what an uninterrupted one gives. A fit that takes less than the time between
checkpoints writes none, unless it is told to stop.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import StoreError
from workbench.store.repair import CHECKPOINT_SECONDS
from workbench.store.vault import CHECKPOINTS, DAMAGED, remove_checkpoints
from workbench.training.epoch_state import LOG, State, read_states, remove_states, set_aside, write_state
from workbench.training.finished_split import read_outcome, write_outcome
from workbench.training.material import Material
from workbench.training.outcome import Outcome


class Checkpoints:
    """The checkpoints of one fit."""

    def __init__(self, material: Material) -> None:
        """Find the fit's folder; remove what other fits left a long time ago.

        There are no checkpoints without a vault, of screenings, and where the job wants none.
        """
        job = material.job
        self._material, self._every = material, job.checkpoint_s
        self._root: Path | None = None
        if job.vault is not None and material.fit_key and job.screen is None and self._every is not None:
            self._root = job.vault
            _remove_stale(job.vault / CHECKPOINTS)
        self._pending: list[Outcome] = []
        self._written = time.monotonic()
        self._began, self._earlier = time.perf_counter(), 0.0

    @property
    def due(self) -> bool:
        """Whether the time between checkpoints has passed."""
        return self._root is not None and time.monotonic() - self._written >= (self._every or 0.0)

    @property
    def elapsed(self) -> float:
        """Seconds of training of the split that was begun, those of earlier attempts included."""
        return self._earlier + time.perf_counter() - self._began

    def begin(self) -> None:
        """Begin a split's training."""
        self._began, self._earlier = time.perf_counter(), 0.0

    def finished(self, index: int) -> Outcome | None:
        """Return a split that an earlier attempt finished, or ``None``."""
        if self._root is None:
            return None
        material, folder = self._material, self._split(index)
        test_key = None if material.dataset.test_rows is None else material.dataset.test_key
        try:
            return read_outcome(folder, index, len(material.plan.validate(index)), test_key)
        except StoreError as error:
            set_aside(folder, self._root / DAMAGED, error)
            return None

    def keep(self, outcome: Outcome) -> None:
        """Keep a finished split, not yet on disk if that was written to a short time ago.

        A split that the clock ended is not kept: with more time it would have become another one.
        """
        if self._root is not None and not outcome.truncated:
            self._pending.append(outcome)
            if self.due:
                self.flush()

    def flush(self) -> None:
        """Write the finished splits that are not on disk yet."""
        while self._pending:
            outcome = self._pending.pop(0)
            with self._writing():
                write_outcome(self._split(outcome.index), outcome, self._material.dataset.test_key)
                remove_states(self._epoch(outcome.index))

    def save_epoch(self, index: int, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Write the state of a split under way; the finished ones come before it."""
        if self._root is not None:
            self.flush()
            with self._writing():
                write_state(self._epoch(index), arrays, {**about, "seconds": self.elapsed})

    def epochs(self, index: int) -> Iterator[State]:
        """Yield the states of a split under way, the newest first; the one that is taken is told to `resume`."""
        if self._root is not None:
            yield from read_states(self._epoch(index), self._root / DAMAGED)

    def resume(self, about: Mapping[str, Any]) -> None:
        """Count the seconds of the state that is gone on from."""
        self._earlier = float(about["seconds"])

    def remove(self) -> None:
        """Remove what the fit needs no more."""
        self._pending.clear()
        if self._root is not None:
            remove_checkpoints(self._root, self._material.fit_key)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Let no checkpoint that cannot be written end the trial."""
        self._written = time.monotonic()
        try:
            yield
        except (OSError, StoreError) as error:
            LOG.warning("a checkpoint cannot be written: %s. The training goes on; the one before stays", error)

    def _split(self, index: int) -> Path:
        return self._folder / f"split{index}"

    def _epoch(self, index: int) -> Path:
        return self._folder / f"epoch{index}.npz"

    @property
    def _folder(self) -> Path:
        return (self._root or Path()) / CHECKPOINTS / self._material.fit_key


def _remove_stale(folder: Path) -> None:
    oldest = time.time() - CHECKPOINT_SECONDS
    with contextlib.suppress(OSError):
        for fit in folder.iterdir():
            if fit.stat().st_mtime < oldest:
                shutil.rmtree(fit, ignore_errors=True)
