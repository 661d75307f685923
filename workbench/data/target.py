"""Transforms of the target, fitted in the fold. The vault and every score hold original units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import DataError
from workbench.types import Task

Array = NDArray[Any]
TargetKind = Literal["none", "standardize", "log1p", "log1p+standardize"]


def target_kind(task: Task, metric_name: str, *, neural: bool) -> TargetKind:
    """Return the transform for a task: rmsle is the rmse of ``log1p``; networks regress best on standardised values."""
    if task != "regression":
        return "none"
    if metric_name == "rmsle":
        return "log1p+standardize" if neural else "log1p"
    return "standardize" if neural else "none"


@dataclass(frozen=True)
class TargetTransform:
    """``(log1p(y) - center) / scale``, or the parts of it that ``kind`` names."""

    kind: TargetKind
    center: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, kind: TargetKind, y: Array) -> Self:
        """Fit on the training fold's ``y`` of shape ``(rows,)``.

        Raises:
            DataError: the kind is unknown, or takes ``log1p`` of values of -1 or less.
        """
        if kind not in get_args(TargetKind):
            raise DataError(f"unknown target transform '{kind}'; expected one of {', '.join(get_args(TargetKind))}")
        if kind.startswith("log1p") and (y <= -1.0).any():
            raise DataError(f"log1p needs a target above -1, got {float(y.min())!r}; choose another metric than rmsle")
        if not kind.endswith("standardize"):
            return cls(kind)
        values = np.log1p(y) if kind.startswith("log1p") else np.asarray(y, dtype=np.float64)
        scale = float(values.std())
        return cls(kind, float(values.mean()), scale if np.isfinite(scale) and scale > 0.0 else 1.0)

    def forward(self, y: Array) -> Array:
        """Return ``y`` as a model is trained on it; class codes stay as they are."""
        if self.kind == "none":
            return y
        values = np.log1p(y) if self.kind.startswith("log1p") else y
        return (values - self.center) / self.scale

    def inverse(self, prediction: Array) -> Array:
        """Return predictions, of any shape, in original units; what a diverged model overflows is infinite.

        The kinds with ``log1p`` are for targets from 0 up, and give nothing below: rmsle counts such predictions as 0,
        and a submission with one would be refused elsewhere though it was scored here.
        """
        if self.kind == "none":
            return prediction
        values = prediction * self.scale + self.center
        with np.errstate(over="ignore"):
            return np.maximum(np.expm1(values), 0.0) if self.kind.startswith("log1p") else values

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return {"kind": self.kind, "center": self.center, "scale": self.scale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the transform that gave ``state``."""
        return cls(cast("TargetKind", state["kind"]), float(state["center"]), float(state["scale"]))
