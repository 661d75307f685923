"""Linear meta-models that are drawn towards the plain mean, by as much as rows left out call for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.blending.stacks import LinearStack
from workbench.blending.weighted import Space, into
from workbench.ensembles.members import Members
from workbench.metrics import Array

PENALTIES = (0.3, 3.0, 30.0, 300.0, np.inf)
"""Of the squared distance of the coefficients from the mean's, in units of a row's loss; infinity is the mean."""

STEPS = 30
"""Newton's method needs 5 to 10 steps."""


class _Problem(NamedTuple):
    """Inputs ``(rows, outputs, members)``, targets ``(rows,)`` and row weights ``(rows,)`` that sum to their number."""

    inputs: Array
    y: Array
    weight: Array
    space: Space

    @property
    def classes(self) -> int:
        return int(self.inputs.shape[1])


def linear_stack(members: Members, penalties: Sequence[float] = PENALTIES) -> LinearStack:
    """Fit coefficients and intercepts; the penalty is the one with the best score on the splits left out in turn."""
    space = _space(members)
    inputs = np.stack([into(prediction, space) for prediction in members.predictions], axis=2)
    mass = members.mass * len(members.row)
    y = members.y.astype(np.float64) if not members.classification else members.y.astype(np.int64)
    if space == "log1p":
        y = np.log1p(np.maximum(y, 0.0))
    problem = _Problem(inputs, y, mass, space)
    best = penalties[0] if len(penalties) == 1 else _best_penalty(problem, members, penalties)
    return _stack(*_solve(problem, best), space)


def _space(members: Members) -> Space:
    if members.classification:
        return "logit"
    return "log1p" if members.metric.name == "rmsle" else "linear"


def _best_penalty(problem: _Problem, members: Members, penalties: Sequence[float]) -> float:
    """Return the penalty whose mean score over splits, each predicted without it, is best; the larger of equal ones."""
    losses = np.zeros(len(penalties))
    for part, defined in zip(members.slices, members.defined, strict=True):
        outside = ~np.isin(members.row, members.row[part])
        if not defined or not outside.any():
            continue
        others = problem._replace(inputs=problem.inputs[outside], y=problem.y[outside], weight=problem.weight[outside])
        start: tuple[Array, Array] | None = None
        for place in reversed(range(len(penalties))):
            start = _solve(others, penalties[place], start)
            stack = _stack(*start, problem.space)
            predicted = stack.apply(members.predictions[:, part])
            weight = None if members.weight is None else members.weight[part]
            losses[place] += members.metric.loss(members.metric(members.y[part], predicted, weight))
    return max(penalties, key=lambda penalty: (-losses[list(penalties).index(penalty)], penalty))


def _stack(coefficients: Array, intercept: Array, space: Space) -> LinearStack:
    return LinearStack(coefficients=tuple(coefficients.tolist()), intercept=tuple(intercept.tolist()), space=space)


def _solve(problem: _Problem, penalty: float, start: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """Return the coefficients ``(members,)`` and intercepts ``(outputs,)`` of the least penalised loss."""
    count = problem.inputs.shape[2]
    mean = np.full(count, 1.0 / count)
    if np.isinf(penalty):
        return mean, np.zeros(problem.classes)
    if problem.space != "logit":
        return _ridge(problem, mean, penalty)
    return _logistic(problem, mean, penalty, start or (mean, np.zeros(problem.classes)))


def _ridge(problem: _Problem, mean: Array, penalty: float) -> tuple[Array, Array]:
    """Solve ``sum w (y - x a - b)^2 / var(residual of the mean) + penalty |a - mean|^2`` in closed form."""
    x, weight = problem.inputs[:, 0, :], problem.weight / problem.weight.sum()
    centre, middle = weight @ x, float(weight @ problem.y)
    x = x - centre
    residual = problem.y - middle - x @ mean
    scale = float(weight @ residual**2)
    if scale <= 0.0:
        return mean, np.array([middle - centre @ mean])
    # The unit of the inputs is that of the target's spread, so that a penalty means the same for euros and for cents.
    spread = float(weight @ (problem.y - middle) ** 2)
    table = (x * weight[:, None]).T @ x / spread
    pull = penalty / problem.weight.sum() * np.eye(len(mean)) * scale / spread
    moved = np.linalg.lstsq(table + pull, (x * weight[:, None]).T @ residual / spread, rcond=None)[0]
    coefficients = mean + moved
    return coefficients, np.array([middle - centre @ coefficients])


def _logistic(problem: _Problem, mean: Array, penalty: float, start: tuple[Array, Array]) -> tuple[Array, Array]:
    """Minimise log loss ``+ penalty / 2 |a - mean|^2 (+ |b|^2)`` by Newton's method with halved steps."""
    coefficients, bias = start
    point = np.r_[coefficients, bias]
    centre, pull = np.r_[mean, np.zeros(problem.classes)], np.full(len(mean) + problem.classes, penalty)
    pull[len(mean) :] = min(penalty, 1.0)
    value, gradient, curvature = _expansion(problem, point, centre, pull)
    for _ in range(STEPS):
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < 1e-8 * max(1.0, value):
            break
        for _halving in range(12):
            moved = point - step
            found = _expansion(problem, moved, centre, pull)
            if found[0] < value:
                break
            step = step / 2.0
        else:
            break
        point = moved
        value, gradient, curvature = found
    return point[: len(mean)], point[len(mean) :]


def _expansion(problem: _Problem, point: Array, centre: Array, pull: Array) -> tuple[float, Array, Array]:
    """Return the penalised log loss at a point, its gradient and its Hessian."""
    count = problem.inputs.shape[2]
    logits = problem.inputs @ point[:count] + point[count:]
    value, error, curvatures = (_binary if problem.classes == 1 else _softmax)(problem, logits)
    gradient = np.r_[np.einsum("nk,nkm->m", error, problem.inputs), error.sum(axis=0)]
    distance = point - centre
    value += 0.5 * float(pull @ distance**2)
    return value, gradient + pull * distance, curvatures + np.diag(pull)


def _binary(problem: _Problem, logits: Array) -> tuple[float, Array, Array]:
    sign = np.where(problem.y == 1, 1.0, -1.0)
    value = float(problem.weight @ np.logaddexp(0.0, -sign * logits[:, 0]))
    p = 1.0 / (1.0 + np.exp(-np.clip(logits[:, 0], -500.0, 500.0)))
    error = (problem.weight * (p - (problem.y == 1)))[:, None]
    x = np.column_stack([problem.inputs[:, 0, :], np.ones(len(p))])
    return value, error, (x * (problem.weight * p * (1.0 - p))[:, None]).T @ x


def _softmax(problem: _Problem, logits: Array) -> tuple[float, Array, Array]:
    rows, classes, count = problem.inputs.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    value = float(problem.weight @ (np.log(total[:, 0]) - shifted[np.arange(rows), problem.y]))
    error = p.copy()
    error[np.arange(rows), problem.y] -= 1.0
    error *= problem.weight[:, None]
    # The design of class k is its inputs and the k-th unit vector; the Hessian is its covariance under p.
    mean = np.column_stack([np.einsum("nk,nkm->nm", p, problem.inputs), p])
    weighted = p * problem.weight[:, None]
    second = np.empty((count + classes, count + classes))
    flat = problem.inputs.reshape(-1, count)
    second[:count, :count] = (flat * weighted.reshape(-1, 1)).T @ flat
    second[:count, count:] = np.einsum("nk,nkm->mk", weighted, problem.inputs)
    second[count:, :count] = second[:count, count:].T
    second[count:, count:] = np.diag(weighted.sum(axis=0))
    return value, error, second - (mean * problem.weight[:, None]).T @ mean
