"""Checks of what models predict, before it is scored or stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.target import TargetTransform
from workbench.errors import TrialFailed
from workbench.models.problem import Problem

PROBABILITY_SLACK = 1e-3
"""Softmax sums of float32, and of float16 heads, are off by less."""


def checked(prediction: Any, rows: int, problem: Problem) -> NDArray[np.float64]:
    """Return predictions as float64 ``(rows, outputs)``.

    Raises:
        TrialFailed: another shape, or class probabilities that are none (code ``shape``); not finite (``nonfinite``).
    """
    array = np.asarray(prediction, dtype=np.float64)
    expected = (rows, problem.outputs)
    if array.shape == (rows,) and problem.outputs == 1:
        array = array[:, None]
    if array.shape == (rows, 2) and problem.task == "binary":
        array = _positive(array)
    if array.shape != expected:
        raise TrialFailed(
            "shape",
            f"the model predicts an array of shape {array.shape}, expected {expected}: (rows, outputs) of a "
            f"{problem.task} task; problem.head(x) makes the output that fits",
        )
    _check_finite(array)
    if problem.task != "regression":
        _probabilities(array, problem)
    return array


def in_units(raw: Any, rows: int, target: TargetTransform, problem: Problem) -> NDArray[np.float64]:
    """Return a model's output as predictions ``(rows, outputs)`` in the target's own units."""
    return target.inverse(checked(raw, rows, problem))


def _check_finite(array: NDArray[np.float64]) -> None:
    if not np.isfinite(array).all():
        raise TrialFailed("nonfinite", f"{int((~np.isfinite(array)).sum())} of {array.size} predictions are not finite")


def _positive(pair: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the positive class of a softmax over both, the second; two separate sigmoids or logits are none."""
    _check_finite(pair)
    if abs(pair.sum(axis=1) - 1).max(initial=0.0) > PROBABILITY_SLACK:
        raise TrialFailed(
            "shape",
            "the model's two outputs do not add up to 1, so that the second is not the probability of the positive "
            "class; end the model with problem.head(x), or with 'softmax' over both",
        )
    return pair[:, 1:]


def _probabilities(array: NDArray[np.float64], problem: Problem) -> None:
    low, high = float(array.min(initial=0.0)), float(array.max(initial=0.0))
    if low < -PROBABILITY_SLACK or high > 1 + PROBABILITY_SLACK:
        raise TrialFailed(
            "shape",
            f"the model's outputs lie in [{low:.3g}, {high:.3g}], expected probabilities in [0, 1]: end the model with "
            f"problem.head(x) or the activation '{problem.activation}'",
        )
    if problem.task == "multiclass" and len(array) and abs(array.sum(axis=1) - 1).max() > PROBABILITY_SLACK:
        raise TrialFailed("shape", "the probabilities of the classes do not add up to 1; end the model with 'softmax'")
