"""Fits calibrations: maps of a blend's probabilities that make them mean what they say, on its out-of-fold rows."""

from __future__ import annotations

import numpy as np

from workbench.blending.calibration import Calibration, Isotonic, Temperature
from workbench.blending.weighted import into
from workbench.ensembles.members import Members
from workbench.errors import ConfigError, nearest
from workbench.metrics import LOG_LOSS, Array

KINDS = ("temperature", "isotonic")
SCALES = (0.05, 20.0)
"""Bounds of a temperature's scale: beyond them log-odds are all but gone, or labels."""

GAIN = 1e-9
"""A calibration that lowers the log loss of its own rows by no more is none."""

PSEUDO_ROWS = 0.5
"""Rows of the other class that are added at either end of an isotonic map (Krichevsky and Trofimov, 1981)."""


def fit_calibration(kind: str, members: Members, prediction: Array) -> Calibration | None:
    """Return a calibration of a blend's probabilities ``(rows, outputs)``; ``None`` where it gains nothing.

    Whatever the metric is, it lowers the log loss, in which each row counts ``members.mass``.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"ensemble.calibration: there is no '{kind}'; choose none, {', '.join(KINDS)}.{nearest(kind, KINDS)}"
        )
    rows = members.mass > 0.0
    prediction, y, mass = prediction[rows], members.y[rows], members.mass[rows]
    found: Calibration
    if kind == "temperature":
        found = Temperature(scale=_scale(into(prediction, "logit"), y, mass))
    else:
        found = _isotonic(prediction, y, mass, PSEUDO_ROWS / len(np.unique(members.row[rows])))
    gain = LOG_LOSS(y, prediction, mass) - LOG_LOSS(y, found.apply(prediction), mass)
    return found if gain > GAIN else None


def _scale(logits: Array, y: Array, mass: Array) -> float:
    """Return the factor of ``logits`` ``(rows, outputs)`` with the least log loss, which is convex in it."""
    from scipy.optimize import minimize_scalar

    if logits.shape[1] == 1:
        margins = np.where(y == 1, logits[:, 0], -logits[:, 0])

        def loss(scale: float) -> float:
            return float(mass @ np.logaddexp(0.0, -scale * margins))
    else:
        # Against the largest, so that no power overflows; scales are positive.
        apart = logits - logits.max(axis=1, keepdims=True)
        true = float(mass @ np.take_along_axis(apart, y.astype(np.int64)[:, None], axis=1)[:, 0])

        def loss(scale: float) -> float:
            return float(mass @ np.log(np.exp(scale * apart).sum(axis=1))) - scale * true

    bounds = (float(np.log(SCALES[0])), float(np.log(SCALES[1])))
    found = minimize_scalar(lambda power: loss(float(np.exp(power))), bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def _isotonic(prediction: Array, y: Array, mass: Array, pseudo: float) -> Isotonic:
    """Return a rising map of each output; of several classes each one against the rest."""
    codes = [1] if prediction.shape[1] == 1 else range(prediction.shape[1])
    maps = [_rising(p, y == code, mass, pseudo) for p, code in zip(prediction.T, codes, strict=True)]
    knots, levels = zip(*maps, strict=True)
    return Isotonic(knots=knots, levels=levels)


def _rising(p: Array, hit: Array, mass: Array, pseudo: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots and levels of the rising map with the least squared error.

    At the lowest probability ``pseudo`` of a row is added that was hit, at the highest as much that was not. So no
    level is 0 or 1, where one unseen row of the other class would cost everything: the first of a hundred rows without
    a hit becomes 0.5 / 100.5, and a thousand of them less. It rises still, as levels shrunk one by one need not.
    """
    from scipy.optimize import isotonic_regression

    values, place = np.unique(p, return_inverse=True)
    weight = np.bincount(place, weights=mass)
    hits = np.bincount(place, weights=mass * hit)
    hits[0] += pseudo
    weight[0] += pseudo
    weight[-1] += pseudo
    fitted = isotonic_regression(hits / weight, weights=weight)
    first = np.asarray(fitted.blocks[:-1])
    last = np.asarray(fitted.blocks[1:]) - 1
    ends = np.unique(np.concatenate([first, last]))  # a block is flat: its two ends say all of it
    return tuple(values[ends].tolist()), tuple(fitted.x[ends].tolist())
