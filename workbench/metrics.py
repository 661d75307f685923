"""Metrics: a function and its direction, together.

A prediction is always an array of shape ``(rows, outputs)``: the value for regression, the probability of the positive
class for a binary task (one output), a probability per class for a multiclass task. A metric's function gets what it
`needs`: ``values`` and binary ``probabilities`` as ``(rows,)``, multiclass ``probabilities`` as ``(rows, classes)``,
``labels`` as class codes ``(rows,)``. ``y`` is ``(rows,)``: values, or class codes in the order of ``Problem.classes``.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import registry
from workbench.errors import ConfigError, FactoryError
from workbench.types import Direction, MetricRef, Needs, as_loss, better

Array = NDArray[Any]
WEIGHT_NAMES = ("weight", "sample_weight")
"""A parameter of a user's metric that is called so is given the row weights."""

MetricFunction = Callable[[Array, Array, Array | None], float]


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    ``function(y, prediction, weight)`` returns a float; ``weight`` is ``None`` or ``(rows,)``. ``monitor`` names the
    smoother metric that early stopping looks at instead (accuracy moves in steps, so log loss is watched).
    """

    name: str
    function: MetricFunction
    direction: Direction
    needs: Needs
    monitor: str | None = None

    def __call__(self, y: Array, prediction: Array, weight: Array | None = None) -> float:
        """Score predictions of shape ``(rows, outputs)`` against ``y`` of shape ``(rows,)``."""
        value = self.function(y, as_needed(prediction, self.needs), weight)
        return float(value)

    def better(self, left: float, right: float) -> bool:
        """Say whether ``left`` is strictly better; a NaN is never better, and anything is better than it."""
        return better(self.direction, left, right)

    def loss(self, value: float) -> float:
        """Return the value oriented so that less is better, for minimisers."""
        return as_loss(self.direction, value)


def as_needed(prediction: Array, needs: Needs) -> Array:
    """Turn predictions of shape ``(rows, outputs)`` into what a metric's function takes."""
    if needs == "labels":
        return labels(prediction)
    return prediction[:, 0] if prediction.shape[1] == 1 else prediction


def labels(prediction: Array) -> Array:
    """Return class codes ``(rows,)`` of probabilities: above one half, or the largest."""
    if prediction.shape[1] == 1:
        return (prediction[:, 0] > 0.5).astype(np.int64)
    codes: Array = prediction.argmax(axis=1)
    return codes


def _mean(values: Array, weight: Array | None) -> float:
    return float(np.average(values, weights=weight))


def _auc(y: Array, p: Array, weight: Array | None) -> float:
    """Area under the ROC curve: the share of pairs that are in order; ties count one half (Hanley and McNeil, 1982).

    Sorting values and counting is several times as fast as ranking by `argsort`; blenders ask thousands of times.
    """
    up, down = y == 1, y != 1
    if weight is None:
        negatives, positives = np.sort(p[down]), np.sort(p[up])
        below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
        pairs = len(negatives) * len(positives)
        return float(below.sum() / (2 * pairs)) if pairs else float("nan")
    order = np.argsort(p[down], kind="stable")
    negatives = p[down][order]
    mass = np.r_[0.0, np.cumsum(weight[down][order])]
    left, right = (mass[np.searchsorted(negatives, p[up], side)] for side in ("left", "right"))
    total = mass[-1] * weight[up].sum()
    return float((weight[up] * (left + right)).sum() / (2.0 * total)) if total > 0.0 else float("nan")


def _log_loss(y: Array, p: Array, weight: Array | None) -> float:
    p = np.asarray(p, dtype=np.float64)
    tiny = np.finfo(np.float64).eps
    if p.ndim == 1:
        chosen = np.where(y == 1, p, 1.0 - p)
    else:
        chosen = p[np.arange(len(y)), y.astype(np.int64)] / p.sum(axis=1)
    return _mean(-np.log(np.clip(chosen, tiny, 1.0)), weight)


def _accuracy(y: Array, codes: Array, weight: Array | None) -> float:
    return _mean((y == codes).astype(np.float64), weight)


def _rmse(y: Array, p: Array, weight: Array | None) -> float:
    return float(np.sqrt(_mean((y - p) ** 2, weight)))


def _rmsle(y: Array, p: Array, weight: Array | None) -> float:
    """Root mean squared error of ``log1p``; predictions below 0 count as 0, as a submission must clip them."""
    return _rmse(np.log1p(y), np.log1p(np.maximum(p, 0.0)), weight)


def _mae(y: Array, p: Array, weight: Array | None) -> float:
    return _mean(np.abs(y - p), weight)


AUC = Metric("auc", _auc, "maximize", "probabilities")
LOG_LOSS = Metric("log_loss", _log_loss, "minimize", "probabilities")
ACCURACY = Metric("accuracy", _accuracy, "maximize", "labels", monitor="log_loss")
RMSE = Metric("rmse", _rmse, "minimize", "values")
RMSLE = Metric("rmsle", _rmsle, "minimize", "values")
MAE = Metric("mae", _mae, "minimize", "values")


def load_metric(ref: MetricRef) -> Metric:
    """Return the metric that ``ref`` names.

    A user's attribute is a `Metric`, or a function of ``(y, prediction)`` or ``(y, prediction, weight)`` whose
    direction and needs are in ``ref``.
    """
    if ref.function is None:
        metric = registry.resolve("metrics", ref.name)
        if not isinstance(metric, Metric):
            raise FactoryError(f"metric '{ref.name}': expected a workbench.metrics.Metric, got {type(metric).__name__}")
        return metric
    found = registry.load(ref.function, ref.root)
    if isinstance(found, Metric):
        if (found.direction, found.needs) != (ref.direction, ref.needs):
            raise ConfigError(
                f"metric '{ref.function}': it is defined with direction {found.direction} and needs {found.needs}, the "
                f"experiment says {ref.direction} and {ref.needs}; let both say the same"
            )
        return replace(found, name=ref.name)
    if not callable(found):
        raise FactoryError(f"metric '{ref.function}': expected a function or a Metric, got {type(found).__name__}")
    return Metric(ref.name, _guarded(_with_weight(found), ref.function), ref.direction, ref.needs, ref.monitor)


def monitored(metric: Metric) -> Metric:
    """Return the metric that early stopping looks at."""
    if metric.monitor is not None:
        return load_metric(MetricRef(name=metric.monitor))
    return metric


def _guarded(function: MetricFunction, reference: str) -> MetricFunction:
    """Tell a user's errors as theirs, with the line."""

    def call(y: Array, prediction: Array, weight: Array | None) -> float:
        try:
            return float(function(y, prediction, weight))
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise FactoryError(
                f"metric '{reference}' raised {type(error).__name__}: {error} ({last.filename}, line {last.lineno}); "
                "it is called with y and the prediction, and must return a number"
            ) from error

    return call


def _with_weight(function: Callable[..., float]) -> MetricFunction:
    """Wrap a user's function: the row weights go to a parameter of that name, or to a third one without a default."""
    parameters = list(inspect.signature(function).parameters.values())
    named = [p.name for p in parameters if p.name in WEIGHT_NAMES]
    third = len(parameters) >= 3 and parameters[2].default is inspect.Parameter.empty
    third = third and parameters[2].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD

    def call(y: Array, prediction: Array, weight: Array | None) -> float:
        if named:
            return function(y, prediction, **{named[0]: weight})
        return function(y, prediction, weight) if third else function(y, prediction)

    return call
