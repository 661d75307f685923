"""A quadratic model minimised on the simplex, by a primal active set (Nocedal and Wright, 2006, chapter 16.5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.metrics import Array

PROXIMAL = 1e-12
"""Share of each diagonal element that is added to it: nearly collinear members leave the others' weights alone."""

FLAT = 1e-14
"""Share of the gradient that is added to the diagonal, for where there is no curvature at all."""

TINY = 1e-300


def minimise_quadratic(hessian: Array, slope: Array, start: Array, tolerance: float) -> Array:
    """Return weights ``v`` on the simplex that minimise ``slope.(v - start) + (v - start)'H(v - start) / 2``.

    Weights outside the active set are exactly 0. Every step makes the model smaller, so that no set comes twice.

    Args:
        hessian: Positive semidefinite ``(n, n)``.
        slope: Gradient at ``start``, ``(n,)``.
        start: A point of the simplex, ``(n,)``.
        tolerance: An inactive weight whose reduced gradient is above minus this stays 0.
    """
    diagonal = np.maximum(np.diag(hessian), 0.0)
    flat = FLAT * float(np.abs(slope).max()) + TINY
    # The sum of a step is 0, so that a constant changes nothing; without it a norm is not curved along the weights.
    constant = float(start @ diagonal)
    curved = hessian + constant
    np.fill_diagonal(curved, (1.0 + PROXIMAL) * diagonal + 1e-3 * PROXIMAL * constant + flat + constant)
    weights, active = start.copy(), start > 0.0
    gradient = slope.astype(np.float64)
    for _ in range(20 * len(start) + 100):
        index = np.flatnonzero(active)
        step = _on_plane(curved[np.ix_(index, index)], gradient[index] - weights @ gradient)
        blocked = _move(weights, index, step, curved, gradient)
        gradient = slope + curved @ (weights - start)
        active = weights > 0.0
        if blocked:
            if active[index].all():  # rounding: nothing moved
                break
            continue
        reduced = np.where(active, 0.0, gradient - weights @ gradient)
        entering = int(reduced.argmin())
        if reduced[entering] >= -tolerance:
            break
        active[entering] = True
    return weights


def _move(weights: Array, index: Array, step: Array, hessian: Array, gradient: Array) -> bool:
    """Go along ``step`` in place, as far as no weight falls below 0; say whether one stood in the way."""
    here = weights[index]
    there = here + step
    falling = there <= 0.0
    if not falling.any():
        weights[index] = there / there.sum()
        return False
    cut = np.maximum(there, 0.0)
    cut /= cut.sum()
    if falling.sum() > 1 and _change(cut - here, index, hessian, gradient) < 0.0:
        weights[index] = cut
        return True
    shares = np.where(falling, here / np.maximum(here - there, TINY), np.inf)
    share = min(1.0, float(shares.min()))
    moved = np.where(shares <= share * (1.0 + 1e-12), 0.0, np.maximum(here + share * step, 0.0))
    weights[index] = moved / moved.sum()
    return True


def _change(step: Array, index: Array, hessian: Array, gradient: Array) -> float:
    """Return by how much the model changes over a step in the active weights."""
    return float(gradient[index] @ step + 0.5 * step @ hessian[np.ix_(index, index)] @ step)


def _on_plane(hessian: Array, gradient: Array) -> Array:
    """Return the step to the model's minimum where the weights' sum stays, whatever their signs."""
    from scipy.linalg import lapack

    scale = 1.0 / np.sqrt(np.diag(hessian))
    scaled = hessian * scale * scale[:, None]
    sides = np.column_stack([-gradient * scale, scale])
    solved: Any = None
    shift = 0.0
    for _ in range(8):
        _, solved, failed = lapack.dposv(scaled + shift * np.eye(len(scale)), sides)
        if not failed:
            break
        shift = max(1e-14, 100.0 * shift)
    plain, ones = solved[:, 0] * scale, solved[:, 1] * scale
    step: Array = plain - plain.sum() / ones.sum() * ones
    return step
