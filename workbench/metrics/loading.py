"""From a metric's name, or a user's function, to a `Metric`."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import replace

from workbench import registry
from workbench.errors import ConfigError, FactoryError
from workbench.metrics.metric import Array, Metric, MetricFunction
from workbench.types import MetricRef

WEIGHT_NAMES = ("weight", "sample_weight")
"""A parameter of a user's metric that is called so is given the row weights."""


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
