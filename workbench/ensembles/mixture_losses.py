"""Losses that are a sum over rows of a convex function of the mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from workbench.ensembles.mixture_rows import MixtureRows
from workbench.ensembles.simplex_solver import TOLERANCE, Solution, minimise, pruned
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array

SMALLEST = float(np.finfo(np.float64).eps)
"""Where the metric clips a probability."""

ROUNDING = 1e-9
"""Share of `SMALLEST` by which a number that was clipped there may be off."""

TANGENT = float(np.e) * SMALLEST
"""Where the line from the metric's value at 0 touches ``-log``."""

SAMPLE = 50_000
"""Rows on which a good start is found where there are more than four times as many."""


LEVELS, SHRINK, STEPS = 12, 0.1, 30
"""How often, and by how much, the rounding off of a quantile loss gets smaller, and the most steps for each."""


class RowLoss(Protocol):
    """A convex function of the mixture in a row, with its derivatives, all ``(rows,)`` to ``(rows,)``."""

    def value(self, mixture: Array) -> Array:
        """Return the function."""
        ...

    def slope(self, mixture: Array) -> Array:
        """Return its first derivative."""
        ...

    def curvature(self, mixture: Array) -> Array:
        """Return its second derivative, or what is above it."""
        ...


@dataclass(frozen=True)
class Logarithm:
    """``-log`` of a probability, as convex as the metric, which clips at `SMALLEST`, lets it be.

    Below the knee it is a line. With the knee `TANGENT` this ends in the metric's value at 0: the largest convex
    function that is nowhere above the metric, so that a lower bound of it is one of the metric. A row that no mixture
    brings below `SMALLEST` has its knee there.
    """

    knee: Array | float = TANGENT

    def value(self, mixture: Array) -> Array:
        """Return the function."""
        below: Array = 1.0 - np.minimum(mixture, self.knee) / self.knee
        return below - np.log(np.maximum(mixture, self.knee))

    def slope(self, mixture: Array) -> Array:
        """Return its first derivative."""
        return -1.0 / np.maximum(mixture, self.knee)

    def curvature(self, mixture: Array) -> Array:
        """Return its second derivative; on the line that of the curve where both meet."""
        return np.maximum(mixture, self.knee) ** -2.0


@dataclass(frozen=True)
class SmoothQuantile:
    """The quantile loss of a residual ``p - y``, rounded off at 0 over a width of ``smooth``."""

    quantile: float
    smooth: float

    def value(self, mixture: Array) -> Array:
        """Return the function."""
        return 0.5 * np.hypot(mixture, self.smooth) + (0.5 - self.quantile) * mixture

    def slope(self, mixture: Array) -> Array:
        """Return its first derivative."""
        return 0.5 * mixture / np.hypot(mixture, self.smooth) + (0.5 - self.quantile)

    def curvature(self, mixture: Array) -> Array:
        """Return its second derivative."""
        return 0.5 * self.smooth**2 / np.hypot(mixture, self.smooth) ** 3


@dataclass(frozen=True)
class MixtureProblem:
    """``sum_i share_i loss((A w)_i)``: a `workbench.ensembles.simplex_solver.Problem` whose image is the mixture.

    Attributes:
        rows: The matrix ``A'``.
        share: Row weights ``(rows,)``, none negative, whose sum is 1.
        loss: The loss of a row.
    """

    rows: MixtureRows
    share: Array
    loss: RowLoss

    def image(self, weights: Array) -> Array:
        """Return the mixture."""
        return self.rows.mix(weights)

    def value(self, image: Array) -> float:
        """Return the loss."""
        return float(self.share @ self.loss.value(image))

    def gradient(self, image: Array) -> Array:
        """Return its gradient."""
        return self.rows.pull(self.share * self.loss.slope(image))

    def curvature(self, image: Array, columns: Array) -> Array:
        """Return its second derivatives."""
        return self.rows.gram(self.share * self.loss.curvature(image), columns)


@one_blas_thread()
def minimise_log_loss(rows: MixtureRows, share: Array, *, tolerance: float = TOLERANCE) -> Solution:
    """Return the weights of the least log loss of a mixture, certified.

    Args:
        rows: The probability that each member gave to each row's own class.
        share: Row weights ``(rows,)``, none negative, whose sum is 1.
        tolerance: The gap that is good enough, in the unit of the loss.
    """
    start = _start(rows, share, partial(minimise_log_loss, tolerance=1e-4))
    problem = _posed(rows, share)
    found = minimise(problem, start, tolerance=tolerance)
    value = log_loss(rows, share, found.weights)
    constant = float((share - problem.share).sum()) * -np.log(SMALLEST)
    found = Solution(found.weights, value, max(0.0, found.gap + (value - constant - found.value)))
    return pruned(found, partial(log_loss, rows, share))


def _posed(rows: MixtureRows, share: Array) -> MixtureProblem:
    """Return the problem; rows weigh 0 where the metric is the same whatever the weights."""
    equal = rows.mix(np.full(rows.shape[0], 1.0 / rows.shape[0]))
    if equal.min() > TANGENT:
        return MixtureProblem(rows, share, Logarithm())
    knee = np.where(rows.smallest() >= SMALLEST * (1.0 - ROUNDING), SMALLEST, TANGENT)
    moving = np.where(rows.largest() <= SMALLEST * (1.0 + ROUNDING), 0.0, share)
    return MixtureProblem(rows, moving, Logarithm(knee))


def log_loss(rows: MixtureRows, share: Array, weights: Array) -> float:
    """Return the log loss of the mixture under ``weights``, as the metric has it."""
    return float(share @ -np.log(np.clip(rows.mix(weights), SMALLEST, 1.0)))


def quantile_loss(rows: MixtureRows, share: Array, weights: Array, quantile: float) -> float:
    """Return the quantile loss of the residuals ``p - y`` under ``weights``, as the metric has it."""
    residual = rows.mix(weights)
    return float(share @ np.maximum((1.0 - quantile) * residual, -quantile * residual))


@one_blas_thread()
def minimise_quantile_loss(
    rows: MixtureRows, share: Array, quantile: float = 0.5, *, tolerance: float = TOLERANCE
) -> Solution:
    """Return the weights of the least quantile loss (one half of the absolute error at 0.5), by smoothing.

    The loss is rounded off over a width that gets smaller and smaller; each solution is the next one's start. The
    slopes of the rounded loss are slopes that the exact one could have, so that they bound it from below too.

    Args:
        rows: The residuals ``p - y`` of each member.
        share: Row weights ``(rows,)``, none negative, whose sum is 1.
        quantile: The quantile that is aimed at.
        tolerance: The gap that is good enough, in the unit of the loss.
    """
    weights = _start(rows, share, partial(minimise_quantile_loss, quantile=quantile, tolerance=tolerance))
    smooth = 2.0 * quantile_loss(rows, share, weights, 0.5)
    if smooth <= np.finfo(np.float64).tiny:
        return Solution(weights, 0.0, 0.0)
    best = Solution(weights, float("inf"), float("inf"))
    for _ in range(LEVELS):
        smooth *= SHRINK
        loss = SmoothQuantile(quantile, smooth)
        problem = MixtureProblem(rows, share, loss)
        weights = minimise(problem, weights, tolerance=max(0.1 * smooth, 0.1 * tolerance), most=STEPS).weights
        found = _certified(rows, share, loss, weights)
        best = min(best, found, key=lambda each: each.value)._replace(gap=min(best.gap, found.gap))
        if found.gap <= tolerance:
            break
    return pruned(best, partial(quantile_loss, rows, share, quantile=quantile))


def _certified(rows: MixtureRows, share: Array, loss: SmoothQuantile, weights: Array) -> Solution:
    """Return the exact quantile loss, and what it is above the bound that the smooth one's slopes give."""
    value = quantile_loss(rows, share, weights, loss.quantile)
    bounds = rows.pull(share * loss.slope(rows.mix(weights)))
    return Solution(weights, value, min(value, max(0.0, value - float(bounds.min()))))


def _start(rows: MixtureRows, share: Array, solve: Callable[[MixtureRows, Array], Solution]) -> Array:
    """Return equal weights, or where there are very many rows the solution on some of them."""
    step = rows.shape[1] // SAMPLE
    some = share[:: max(1, step)]
    if step < 4 or some.sum() <= 0.0:
        return np.full(rows.shape[0], 1.0 / rows.shape[0])
    return solve(rows.every(step), some / some.sum()).weights
