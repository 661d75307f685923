"""Squared errors of a mixture, from the products of the members' residuals.

One pass over the rows gives the products; a step of the solver then costs the same for a thousand rows and for a
million. Their rounding errors would show where a blend fits much better than its members do: so the solution is made
the new centre, whose own residuals are computed from the rows, until the gap from the rows is small too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.ensembles.mixture_rows import MixtureRows
from workbench.ensembles.simplex_solver import TOLERANCE, Solution, minimise, pruned
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array

Power = Literal["root", "square"]

CENTRES = 16
"""The most passes over the rows for new centres; two are the rule."""

PRECISION = 1e-13
"""Share of a loss below which no gap is asked for."""

SHRINK = 0.01
"""By how much the rounding off of a root at 0 gets smaller from one level to the next."""


@dataclass(frozen=True)
class Centre:
    """Exact products at some weights.

    Attributes:
        weights: The weights ``(members,)``.
        squares: Sum of the squared residuals of each part ``(parts,)``.
        products: Each member's residuals times the mixture's ``(parts, members)``.
    """

    weights: Array
    squares: Array
    products: Array

    @classmethod
    def at(cls, rows: MixtureRows, share: Array, parts: Sequence[slice], weights: Array) -> Centre:
        """Compute the products from the rows."""
        residual = rows.mix(weights)
        weighted = share * residual
        squares = np.array([weighted[part] @ residual[part] for part in parts])
        return cls(weights, squares, np.array([rows.pull(weighted[part], part) for part in parts]))

    def value(self, power: Power) -> float:
        """Return the loss: the sum of the squares, or of their roots."""
        return float((np.sqrt(self.squares) if power == "root" else self.squares).sum())

    def gap(self, power: Power, smooth: float) -> float:
        """Return how far at most the optimum lies below, by the slopes of roots that ``smooth`` and more rounds off.

        The norm ``|r|`` is at least ``z.r`` for any ``z`` no longer than 1; here ``z`` is ``r / |(r, smooth)|``.
        """
        if power == "square":
            slopes = 2.0 * self.products.sum(axis=0)
            return max(0.0, float(self.weights @ (slopes - slopes.min())))
        value = self.value(power)
        widths = smooth * 10.0 ** np.arange(12)
        lengths = np.sqrt(self.squares + widths[:, None] ** 2)
        bounds = (1.0 / np.maximum(lengths, 1e-300)) @ self.products
        return min(value, max(0.0, value - float(bounds.min(axis=1).max())))


@dataclass(frozen=True)
class ResidualProblem:
    """The loss around a centre: a `workbench.ensembles.simplex_solver.Problem`; its image is the way from the centre.

    Attributes:
        centre: Where the products are exact.
        grams: Products of the members' residuals of each part ``(parts, members, members)``.
        power: What is summed over the parts.
        smooth: Roots are rounded off at 0 over this width.
    """

    centre: Centre
    grams: Array
    power: Power
    smooth: float

    def image(self, weights: Array) -> Array:
        """Return the way from the centre."""
        return weights - self.centre.weights

    def _squares(self, image: Array) -> tuple[Array, Array]:
        """Return sums of squares ``(parts,)`` and half their slopes ``(parts, members)``."""
        change = self.grams @ image
        squares = self.centre.squares + 2.0 * self.centre.products @ image + change @ image
        return np.maximum(squares, 0.0), self.centre.products + change

    def value(self, image: Array) -> float:
        """Return the loss."""
        squares, _ = self._squares(image)
        return float((np.sqrt(squares + self.smooth**2) if self.power == "root" else squares).sum())

    def gradient(self, image: Array) -> Array:
        """Return its gradient."""
        squares, slopes = self._squares(image)
        if self.power == "square":
            return np.asarray(2.0 * slopes.sum(axis=0))
        return np.asarray((1.0 / np.sqrt(squares + self.smooth**2)) @ slopes)

    def curvature(self, image: Array, columns: Array) -> Array:
        """Return its second derivatives."""
        squares, slopes = self._squares(image)
        grams = self.grams[:, columns[:, None], columns] if len(columns) < self.grams.shape[1] else self.grams
        if self.power == "square":
            return np.asarray(2.0 * grams.sum(axis=0))
        lengths = np.sqrt(squares + self.smooth**2)
        unit = slopes[:, columns] / lengths[:, None] ** 1.5
        return np.asarray(np.tensordot(1.0 / lengths, grams, 1) - unit.T @ unit)


@one_blas_thread()
def minimise_squares(
    rows: MixtureRows, share: Array, parts: Sequence[slice], power: Power, *, tolerance: float = TOLERANCE
) -> Solution:
    """Return the weights of the least ``sum_parts sqrt(sum_i share_i r_i^2)``, or the same without the root, certified.

    Args:
        rows: The residuals ``p - y`` of each member.
        share: Row weights ``(rows,)``, none negative. For the mean of rmse over ``n`` parts those of a part sum to
            ``1 / n^2``.
        parts: The rows of each part; for squares one part will do.
        power: ``root`` or ``square``.
        tolerance: The gap that is good enough, in the unit of the loss.
    """
    parts = list(parts) if power == "root" else [slice(parts[0].start, parts[-1].stop)]
    grams = np.array([rows.gram(share[part], None, part) for part in parts])
    best = centre = Centre.at(rows, share, parts, _start(grams, power))
    goal = max(tolerance, PRECISION * centre.value(power))
    smallest = 0.1 * goal / len(parts)
    gap = centre.gap(power, smallest)
    for turn in range(CENTRES):
        if gap <= goal:
            break
        # Where norms vanish at the optimum, each rounding off needs a centre of its own.
        sharp = smallest if turn < 2 else max(smallest, 0.1 ** (turn - 1) * best.value(power))
        weights = _descend(centre, grams, power, sharp, goal)
        centre = Centre.at(rows, share, parts, weights)
        found = centre.gap(power, sharp)
        best, gap = (centre, found) if found < gap else (best, gap)
    solved = Solution(best.weights, best.value(power), gap)
    return pruned(solved, lambda weights: Centre.at(rows, share, parts, weights).value(power))


def _start(grams: Array, power: Power) -> Array:
    """Return equal weights, or the best member's corner where that is better: one member may be worse by powers."""
    count = grams.shape[1]
    equal, single = grams.mean(axis=(1, 2)), np.diagonal(grams, axis1=1, axis2=2)
    if power == "root":
        equal, single = np.sqrt(np.maximum(equal, 0.0)), np.sqrt(single)
    best = single.sum(axis=0)
    return np.full(count, 1.0 / count) if equal.sum() < best.min() else np.eye(count)[best.argmin()]


def _descend(centre: Centre, grams: Array, power: Power, smallest: float, tolerance: float) -> Array:
    """Return the minimum around a centre, over roots that are rounded off less and less."""
    weights = centre.weights
    if power == "square":
        return minimise(ResidualProblem(centre, grams, power, 0.0), weights, tolerance=0.3 * tolerance).weights
    smooth = max(smallest, float(np.sqrt(centre.squares).min()))
    while True:
        smooth = max(smallest, SHRINK * smooth)
        problem = ResidualProblem(centre, grams, power, smooth)
        weights = minimise(problem, weights, tolerance=max(0.3 * tolerance, 0.1 * smooth)).weights
        if smooth <= smallest:
            return weights
