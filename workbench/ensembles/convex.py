"""The best weights where they are the solution of a convex problem, with the gap that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from workbench.blending.weighted import Weighted, into
from workbench.ensembles.class_weights import fit_class_weights
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit, NotApplicable
from workbench.ensembles.mixture_losses import minimise_log_loss, minimise_quantile_loss
from workbench.ensembles.mixture_rows import MixtureRows
from workbench.ensembles.residual_norms import Power, minimise_squares
from workbench.ensembles.simplex_solver import CERTIFIED
from workbench.metrics import LOG_LOSS, MAE, MAPE, R2, RMSE, RMSLE, Array, objective

SMALL_TARGET = 1e-3
"""Share of the mean absolute target below which targets weigh the same in what stands in for smape."""


@dataclass(frozen=True, kw_only=True)
class Convex:
    """Minimise a convex loss of the weighted average on the simplex.

    The metric itself where it is convex, with a certified gap: log loss, rmse, r2 (of which the mean over splits of
    mse over variance is minimised), rmsle (blended in the space of ``log1p``), mae, mape and pinball. Elsewhere what is
    convex and near, without a gap: log loss for other metrics of classes, absolute error for medae and smape, squared
    error for what is not known. The gap of multiclass log loss is that of members whose rows sum to 1.

    Attributes:
        per_class: Weights of each class' own, found from the shared ones by L-BFGS. No longer convex, and in-sample
            never worse than the shared ones.
        seed: Not used: nothing is random.
    """

    simplicity: ClassVar[int] = 0
    per_class: bool = False
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Find weights on the simplex.

        Raises:
            NotApplicable: weights by class are asked for where there are not several outputs.
        """
        if self.per_class and members.outputs == 1:
            raise NotApplicable(
                "convex: per_class needs a multiclass task, with a prediction for each class; "
                "binary and regression have one output: leave per_class out"
            )
        found = _shared(members)
        mix = Weighted.of(found.weights, "log1p" if found.log1p else "linear")
        if self.per_class:
            return Fit(fit_class_weights(members, mix))
        return Fit(mix, found.gap)


class _Shared(NamedTuple):
    weights: Array
    gap: float | None
    log1p: bool = False


def _shared(members: Members) -> _Shared:
    """Return the same weights for all outputs, by the loss that the metric asks for."""
    metric = members.metric
    if metric.function is LOG_LOSS.function:
        found = minimise_log_loss(own_class(members), members.mass)
        return _Shared(found.weights, found.gap)
    if metric.needs != "values" and (members.outputs > 1 or members.y.max(initial=0) <= 1):
        return _Shared(minimise_log_loss(own_class(members), members.mass).weights, None)
    aim = objective(metric.name)
    return _squared(members) if aim.kind == "squared" else _absolute(members, aim.quantile)


def own_class(members: Members) -> MixtureRows:
    """Return the probabilities that members gave to each row's own class.

    Of binary predictions nothing is copied; of several classes one number a row and member.
    """
    count, rows, outputs = members.predictions.shape
    if outputs == 1:
        return MixtureRows(members.predictions.reshape(count, rows), (members.y != 1).astype(np.float64), True)
    own, codes = np.empty((count, rows), members.predictions.dtype), members.y.astype(np.int64)
    for place, prediction in zip(own, members.predictions, strict=True):
        place[:] = prediction[np.arange(rows), codes] / prediction.sum(axis=1)
    return MixtureRows(own)


def _squared(members: Members) -> _Shared:
    function = members.metric.function
    power: Power = "root" if function in (RMSE.function, RMSLE.function) else "square"
    parts = [part for part, defined in zip(members.slices, members.defined, strict=True) if defined]
    parts = parts or list(members.slices)
    share = members.mass / len(parts) if power == "root" else members.mass
    if function is R2.function:
        share = _by_variance(share, members.y, parts)
    log1p = function is RMSLE.function
    found = minimise_squares(_residuals(members, log1p), share, parts, power)
    negative = log1p and float(members.predictions.min()) < 0.0  # the metric takes them for 0, after the mix
    exact = function in (RMSE.function, RMSLE.function, R2.function) and not negative
    return _Shared(found.weights, found.gap if exact else None, log1p)


def _residuals(members: Members, log1p: bool = False) -> MixtureRows:
    predictions = members.predictions[:, :, 0]
    y = members.y.astype(np.float64)
    return MixtureRows(into(predictions, "log1p"), np.log1p(y)) if log1p else MixtureRows(predictions, y)


def _by_variance(share: Array, y: Array, parts: list[slice]) -> Array:
    """Return row weights over the variance of ``y`` in their part; a constant part counts nothing."""
    divided = np.zeros_like(share)
    for part in parts:
        mass, values = share[part], y[part]
        variance = float(np.average((values - np.average(values, weights=mass)) ** 2, weights=mass))
        if variance > 0.0:
            divided[part] = mass / variance
    return divided if divided.any() else share


def _absolute(members: Members, quantile: float) -> _Shared:
    function = members.metric.function
    share, unit = members.mass, 2.0 if quantile == 0.5 and not members.metric.name.startswith("pinball") else 1.0
    size = np.abs(members.y.astype(np.float64))
    if function is MAPE.function:
        share = share / np.maximum(size, np.finfo(np.float64).eps)
    elif members.metric.name == "smape":
        share = share / np.maximum(size, SMALL_TARGET * float(size.mean()) + np.finfo(np.float64).tiny)
    total = float(share.sum())
    found = minimise_quantile_loss(_residuals(members), share / total, quantile)
    gap = unit * total * found.gap
    exact = function in (MAE.function, MAPE.function) or members.metric.name.startswith("pinball_")
    return _Shared(found.weights, gap if exact and gap <= CERTIFIED else None)
