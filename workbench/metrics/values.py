"""Metrics of values: regression."""

from __future__ import annotations

from functools import cache

import numpy as np

from workbench.errors import ConfigError
from workbench.metrics.averages import mean, median
from workbench.metrics.metric import Array, Metric


def _rmse(y: Array, p: Array, weight: Array | None) -> float:
    return float(np.sqrt(mean((y - p) ** 2, weight)))


def _rmsle(y: Array, p: Array, weight: Array | None) -> float:
    """Root mean squared error of ``log1p``; predictions below 0 count as 0, as a submission must clip them."""
    return _rmse(np.log1p(y), np.log1p(np.maximum(p, 0.0)), weight)


def _mae(y: Array, p: Array, weight: Array | None) -> float:
    return mean(np.abs(y - p), weight)


def _medae(y: Array, p: Array, weight: Array | None) -> float:
    return median(np.abs(y - p), weight)


def _mape(y: Array, p: Array, weight: Array | None) -> float:
    """Mean of ``|y - p| / |y|``, a fraction: 0.1 is 10 percent; what is divided by is at least 2.2e-16."""
    return mean(np.abs(y - p) / np.maximum(np.abs(y), np.finfo(np.float64).eps), weight)


def _smape(y: Array, p: Array, weight: Array | None) -> float:
    """Mean of ``2 |y - p| / (|y| + |p|)``, a fraction from 0 to 2; 0 where both are 0.

    The definition of the M4 competition (Makridakis et al., 2020), which gives it in percent: 100 times this.
    """
    whole = np.abs(y) + np.abs(p)
    return mean(np.divide(2.0 * np.abs(y - p), whole, out=np.zeros(len(y)), where=whole > 0.0), weight)


def _r2(y: Array, p: Array, weight: Array | None) -> float:
    """The share of the variance of ``y`` that is explained. Of a constant ``y``: 1 if it is hit everywhere, else 0."""
    left, total = mean((y - p) ** 2, weight), mean((y - mean(y, weight)) ** 2, weight)
    return 1.0 - left / total if total > 0.0 else float(left == 0.0)


@cache
def pinball(text: str) -> Metric:
    """Return ``pinball_<Q>``, the loss whose minimum is the quantile ``Q`` (Koenker and Bassett, 1978).

    Mean of ``Q (y - p)`` where ``p`` is too small, of ``(1 - Q) (p - y)`` where it is too large.

    Raises:
        ConfigError: ``text`` is no number between 0 and 1, or is not written as Python writes it: one metric has one
            name.
    """
    try:
        quantile = float(text)
    except ValueError:
        quantile = float("nan")
    if not 0.0 < quantile < 1.0:
        raise ConfigError(f"pinball_<Q>: Q is a quantile between 0 and 1, such as pinball_0.9, received '{text}'")
    name = f"pinball_{quantile}"
    if name != f"pinball_{text}":
        raise ConfigError(f"'pinball_{text}' is called '{name}' here, so that one metric has one name")

    def function(y: Array, p: Array, weight: Array | None) -> float:
        return mean(np.maximum(quantile * (y - p), (quantile - 1.0) * (y - p)), weight)

    return Metric(name, function, "minimize", "values")


RMSE = Metric("rmse", _rmse, "minimize", "values")
RMSLE = Metric("rmsle", _rmsle, "minimize", "values")
MAE = Metric("mae", _mae, "minimize", "values")
MEDAE = Metric("medae", _medae, "minimize", "values", monitor="mae")
MAPE = Metric("mape", _mape, "minimize", "values")
SMAPE = Metric("smape", _smape, "minimize", "values")
R2 = Metric("r2", _r2, "maximize", "values")
