"""What follows a mix, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.blending.calibration import Calibration, Temperature
from workbench.blending.decision import ClassFactors, Clip, CutPoints, Decision, Threshold

NONE = "none"


def decision_in_words(decision: Decision | None) -> str:
    """Return a decision such as ``threshold 0.31``, ``cut-points 0.5, 1.62`` or ``clip 0 to 50``; or ``none``."""
    match decision:
        case Threshold():
            return f"threshold {decision.at:.4g}"
        case ClassFactors():
            return f"class factors {_listed(decision.factors)}"
        case CutPoints():
            return f"cut-points {_listed(decision.cuts)}"
        case Clip():
            return f"clip {decision.low:.6g} to {decision.high:.6g}"
        case None:
            return NONE


def calibration_in_words(calibration: Calibration | None) -> str:
    """Return a calibration such as ``temperature 0.87`` or ``isotonic``; or ``none``."""
    if calibration is None:
        return NONE
    return f"temperature {calibration.scale:.3g}" if isinstance(calibration, Temperature) else calibration.kind


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)
