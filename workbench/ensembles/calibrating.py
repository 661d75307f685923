"""Fits calibrations. Stub until its room is built."""

from __future__ import annotations

from workbench.blending.calibration import Calibration
from workbench.ensembles.members import Members
from workbench.metrics import Array


def fit_calibration(kind: str, members: Members, prediction: Array) -> Calibration | None:
    """Return a calibration of a blend's predictions ``(rows, outputs)``."""
    raise NotImplementedError
