"""A convex loss minimised on the simplex, with a certificate: how far the optimum can still be below.

Sequential quadratic programming with active sets, as mixsqp (Kim, Carbonetto, Stephens and Anitescu, 2020, "A Fast
Algorithm for Maximum Likelihood Estimation of Mixture Proportions"). The curvature is asked for on the members alone
that have a weight or ask for one, as few do at the optimum; the gap looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from workbench.ensembles.simplex_quadratic import minimise_quadratic
from workbench.metrics import Array

CERTIFIED = 1e-6
"""A gap up to this is as good as none."""

TOLERANCE = 1e-8
"""The gap that is aimed at, in the loss's unit."""

ALL = 48
"""With at most so many members the curvature of all of them costs little."""

NEW = 24
"""Members beyond `ALL` that may ask for a weight at once."""

NOISE = 1e-13
"""Share of a loss by which rounding may change it."""

SHORTEST = 1e-12
"""Share of a step below which it leads nowhere."""

IDLE = 4
"""Steps in a row without progress after which rounding is thought to allow no more."""

NO_EFFECT = 1e-6
"""Weights below this change no prediction that is written; a member with one would be exported for nothing."""


class Problem(Protocol):
    """A convex loss of weights on the simplex, through an image that is affine in them."""

    def image(self, weights: Array) -> Array:
        """Return what the loss is a function of: affine in the weights ``(members,)``."""
        ...

    def value(self, image: Array) -> float:
        """Return the loss."""
        ...

    def gradient(self, image: Array) -> Array:
        """Return the loss's gradient by the weights, ``(members,)``."""
        ...

    def curvature(self, image: Array, columns: Array) -> Array:
        """Return the loss's second derivatives by the weights of the members ``columns``."""
        ...


class Solution(NamedTuple):
    """Weights ``(members,)`` on the simplex, their loss, and how far at most the optimum lies below it."""

    weights: Array
    value: float
    gap: float


@dataclass(frozen=True)
class _Point:
    weights: Array
    image: Array
    gradient: Array
    gap: float

    @classmethod
    def of(cls, problem: Problem, weights: Array, image: Array) -> _Point:
        gradient = problem.gradient(image)
        return cls(weights, image, gradient, frank_wolfe_gap(weights, gradient))


def frank_wolfe_gap(weights: Array, gradient: Array) -> float:
    """Return ``w.g - min_j g_j``: by convexity no point of the simplex has a loss that is lower by more."""
    return float(weights @ (gradient - gradient.min()))


def minimise(problem: Problem, start: Array, *, tolerance: float = TOLERANCE, most: int = 100) -> Solution:
    """Return the weights of the least loss.

    It ends where the gap is at most ``tolerance``, where rounding lets it get no smaller, or after ``most`` steps.

    Args:
        problem: The loss.
        start: Weights ``(members,)`` on the simplex to start from.
        tolerance: The gap that is good enough.
        most: The most steps.
    """
    point = best = _Point.of(problem, start, problem.image(start))
    lowest, idle = float("inf"), 0
    for _ in range(most):
        if best.gap <= tolerance or idle >= IDLE:
            break
        point = _step(problem, point, tolerance)
        value = problem.value(point.image)
        idle = 0 if value < lowest - NOISE * abs(lowest) or point.gap < 0.9 * best.gap else idle + 1
        lowest = min(value, lowest)
        best = min(best, point, key=lambda each: each.gap)
    return Solution(best.weights, problem.value(problem.image(best.weights)), best.gap)


def pruned(found: Solution, value: Callable[[Array], float]) -> Solution:
    """Return the solution without weights of `NO_EFFECT`, where the gap stays small; ``value`` is their loss."""
    kept = np.where(found.weights < NO_EFFECT, 0.0, found.weights)
    kept /= kept.sum()
    if np.array_equal(kept, found.weights):
        return found
    loss = value(kept)
    gap = max(0.0, loss - (found.value - found.gap))
    allowed = CERTIFIED if found.gap <= CERTIFIED else found.gap + CERTIFIED
    return Solution(kept, loss, gap) if gap <= allowed else found


def _step(problem: Problem, point: _Point, tolerance: float) -> _Point:
    columns = _working_set(point)
    curvature = problem.curvature(point.image, columns)
    small = max(1e-2 * tolerance, 1e-15 * float(np.abs(point.gradient).max()))
    target = np.zeros_like(point.weights)
    target[columns] = minimise_quadratic(curvature, point.gradient[columns], point.weights[columns], small)
    end = problem.image(target)
    share = _share(problem, point, target, end)
    if share == 1.0:
        return _Point.of(problem, target, end)
    weights = np.maximum(point.weights + share * (target - point.weights), 0.0)
    weights /= weights.sum()
    return _Point.of(problem, weights, problem.image(weights))


def _working_set(point: _Point) -> Array:
    """Return the members with a weight, and those that ask most for one."""
    count = len(point.weights)
    if count <= ALL:
        return np.arange(count)
    reduced = np.where(point.weights > 0.0, np.inf, point.gradient - point.weights @ point.gradient)
    asking = np.argsort(reduced, kind="stable")[:NEW]
    chosen: Array = np.union1d(np.flatnonzero(point.weights > 0.0), asking[reduced[asking] < 0.0])
    return chosen


def _share(problem: Problem, point: _Point, target: Array, end: Array) -> float:
    """Return how much of the way to ``target``, or how often, lowers the loss by enough (Armijo, 1966)."""
    before, slope = problem.value(point.image), float(point.gradient @ (target - point.weights))
    way = end - point.image
    share, value = 1.0, problem.value(end)
    while value > before + 1e-2 * share * slope + NOISE * abs(before):
        share *= 0.5
        if share < SHORTEST:
            return 0.0
        value = problem.value(point.image + share * way)
    if share < 1.0 or before - value < 0.25 * abs(slope):
        return share
    return _farther(problem, point, target, way, value)


def _farther(problem: Problem, point: _Point, target: Array, way: Array, value: float) -> float:
    """Return how often the way can be gone with profit: far from the optimum a logarithm's model is too cautious."""
    falling = target < point.weights
    farthest = float((point.weights[falling] / (point.weights - target)[falling]).min()) if falling.any() else 1.0
    share = 1.0
    while share < farthest:
        longer = min(4.0 * share, farthest)
        beyond = problem.value(point.image + longer * way)
        if beyond >= value:
            break
        share, value = longer, beyond
    return share
