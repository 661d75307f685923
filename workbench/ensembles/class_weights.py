"""Weights of each class' own, by L-BFGS on the logits of a softmax over members."""

from __future__ import annotations

import numpy as np

from workbench.blending.weighted import Weighted
from workbench.ensembles.members import Members
from workbench.ensembles.mixture_losses import SMALLEST
from workbench.ensembles.simplex_solver import NO_EFFECT
from workbench.ensembles.threads import one_blas_thread, over_blocks
from workbench.metrics import Array

STEPS = 100
"""The most steps of the minimiser."""

LEAST = 1e-3
"""Share of the start that all members have together, so that a class can ask for one that the others do not need."""

BLOCK = 250_000
"""Numbers of a block of rows."""


def fit_class_weights(members: Members, shared: Weighted) -> Weighted:
    """Return weights ``(members, classes)``, each class' on the simplex, of the least log loss near ``shared``.

    The prediction of a row is divided by its sum. Where the metric finds them worse, ``shared`` is returned.
    """
    found = Weighted.of(_without_effect(_descended(members, shared.array)))
    before, after = (members.score(_normed(mix.apply(members.predictions))) for mix in (shared, found))
    return found if members.metric.loss(after) <= members.metric.loss(before) else shared


def _without_effect(weights: Array) -> Array:
    kept = np.where(weights < NO_EFFECT, 0.0, weights)
    result: Array = kept / kept.sum(axis=0)
    return result


def _normed(prediction: Array) -> Array:
    sums = prediction.sum(axis=1, keepdims=True)
    equal: Array = np.full_like(prediction, 1.0 / prediction.shape[1])
    np.divide(prediction, sums, out=equal, where=sums > 0.0)
    return equal


def _columns(logits: Array) -> Array:
    """Return the softmax of each column of ``(members, classes)``."""
    powers = np.exp(logits - logits.max(axis=0))
    result: Array = powers / powers.sum(axis=0)
    return result


@one_blas_thread()
def _descended(members: Members, start: Array) -> Array:
    """Return weights ``(members, classes)`` from ``start`` of shape ``(members, 1)``."""
    from scipy.optimize import minimize

    shape = (len(members), members.outputs)
    begin = np.log((1.0 - LEAST) * start + LEAST / len(members)).repeat(members.outputs, axis=1)

    def loss(point: Array) -> tuple[float, Array]:
        weights = _columns(point.reshape(shape))
        value, gradient = _log_loss(members, weights)
        return value, (weights * (gradient - (weights * gradient).sum(axis=0))).ravel()

    end = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": 1e-10})
    return _columns(np.asarray(end.x).reshape(shape))


def _log_loss(members: Members, weights: Array) -> tuple[float, Array]:
    """Return the log loss of the divided mixture under ``(members, classes)``, and its gradient by the weights."""
    rows, codes = len(members.row), members.y.astype(np.int64)

    def block(at: slice) -> tuple[float, Array]:
        part, mass, index = members.predictions[:, at], members.mass[at], np.arange(at.stop - at.start)
        mixed = np.einsum("jik,jk->ik", part, weights)
        own, sums = np.maximum(mixed[index, codes[at]], SMALLEST), np.maximum(mixed.sum(axis=1), SMALLEST)
        slope = np.repeat((mass / sums)[:, None], members.outputs, axis=1)
        slope[index, codes[at]] -= mass / own
        return float(mass @ (np.log(sums) - np.log(own))), np.einsum("jik,ik->jk", part, slope)

    width = max(256, BLOCK // weights.size)
    values, gradients = zip(*over_blocks(block, slice(0, rows), width), strict=True)
    return float(sum(values)), np.sum(gradients, axis=0)
