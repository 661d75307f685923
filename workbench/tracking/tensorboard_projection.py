"""TensorBoard as a projection of the ledger: a folder for each trial, written at its end.

Written with tensorboardX, which needs no TensorFlow. ``<sweep>/<trial>/`` holds the learning curves;
``<sweep>/<trial>/hparams/`` the values and the score, apart, because TensorBoard lists every scalar of that run as a
metric column. A sweep's folder is its number alone: TensorBoard shows about fifteen characters of a trial's path. No
experiment summary is written: TensorBoard would take the first one it finds for all trials, and with none it collects
the hyperparameters of all of them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event as TensorBoardEvent
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams

from workbench.store.events import Event, TrialFinished
from workbench.tracking.curves import Curve, curves
from workbench.tracking.positions import TENSORBOARD
from workbench.tracking.projection import Journal, Sweeps
from workbench.types import TrialResult, trial_name


class TensorBoardProjection:
    """Shows a ledger's trials in ``<store>/tensorboard``."""

    name = TENSORBOARD

    def __init__(self, journal: Journal, store: Path) -> None:
        """Write below the workbench's folder ``store``."""
        self._journal = journal
        self._root = store / "tensorboard"
        self._partial = store / ".tensorboard"  # not below the root, where TensorBoard would find it half written
        self._sweeps = Sweeps(journal)
        self._root.mkdir(parents=True, exist_ok=True)

    def apply(self, position: int, at: datetime, event: Event) -> None:  # noqa: ARG002 - the contract's signature
        """Write the folder of a trial that ended. A folder of this attempt, or of a later one, is left as it is."""
        if not isinstance(event, TrialFinished) or event.state == "lost":
            return
        sweep = self._sweeps[event.sweep]
        folder = self._root / f"{event.sweep:04d}" / _safe(trial_name(event.family, event.number))
        file = f"events.out.tfevents.{int(at.timestamp()):010d}.workbench.{event.attempt}"
        if _shown(folder) >= event.attempt:
            return
        reports = self._journal.reports(event.attempt)
        found = curves(reports, f"val_{sweep.monitor}", "loss")
        partial = self._partial / str(os.getpid())
        shutil.rmtree(partial, ignore_errors=True)
        _write(partial / file, at, found)
        if event.result is not None and event.state == "complete":  # a screening's score is of another kind
            values = {"family": event.family, **event.result.values}
            _write(partial / "hparams" / file, at, _scores(event.result), values)
        _replace(partial, folder)


def _shown(folder: Path) -> int:
    """Return the newest attempt whose curves are there, 0 if none are; a promoted trial has its screening before."""
    names = [path.name.rpartition(".workbench.") for path in folder.glob("events.out.tfevents.*.workbench.*")]
    return max((int(attempt) for _, _, attempt in names if attempt.isdecimal()), default=0)


def _write(file: Path, at: datetime, found: Mapping[str, Curve], values: Mapping[str, object] | None = None) -> None:
    """Write one event file; every entry has the time of the ledger's event."""
    seconds = at.timestamp()
    entries = [TensorBoardEvent(wall_time=seconds, file_version="brain.Event:2")]
    if values is not None:
        _, start, end = hparams(dict(values), {})
        entries += [TensorBoardEvent(wall_time=seconds, summary=summary) for summary in (start, end)]
    for tag, curve in found.items():
        for step, value in curve:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            entries.append(TensorBoardEvent(wall_time=seconds, step=step, summary=summary))
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = RecordWriter(str(file))
    for entry in entries:
        writer.write(entry.SerializeToString())
    writer.close()


def _scores(result: TrialResult) -> dict[str, Curve]:
    return {name: [(0, float(getattr(result, name)))] for name in ("score", "score_se")}


def _replace(partial: Path, folder: Path) -> None:
    """Put a whole folder in a place where another one may be; readers see the old one, none, or the new one."""
    old = partial.with_name(f"{partial.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def _safe(name: str) -> str:
    """Return a name of one folder."""
    return re.sub(r"[/\\:\0]", "_", name).lstrip(".") or "_"
