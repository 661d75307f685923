"""Linear meta-models that are drawn towards the plain mean, by as much as rows left out call for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.blending.stacks import LinearStack
from workbench.blending.weighted import Space
from workbench.ensembles.log_linear_pool import Pool
from workbench.ensembles.members import Members
from workbench.ensembles.ridge import Ridge
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array
from workbench.seeds import derive_seed

PENALTIES = (0.3, 3.0, 30.0, 300.0, np.inf)
"""Of the squared distance of the coefficients from the mean's, in units of a row's loss; infinity is the mean."""

SAMPLE = 50_000
"""Rows on which the penalty is chosen: what is known beforehand does not hang on how many rows there are."""

Solution = tuple[Array, Array]
"""Coefficients ``(members,)`` and intercepts ``(outputs,)``."""


@one_blas_thread()
def linear_stack(members: Members, penalties: Sequence[float] = PENALTIES) -> LinearStack:
    """Fit coefficients and intercepts; the penalty is the one with the best score on the splits left out in turn."""
    space = stacking_space(members)
    penalty, start = penalties[0], None
    if len(penalties) > 1:
        sample = _sampled(members)
        penalty = _best_penalty(sample, space, penalties)
        if sample is not members:
            start = _solve(_problem(sample, space), sample.mass * len(sample.row), penalty)
    if np.isinf(penalty):
        return _stack(*_mean(members), space)
    return _stack(*_solve(_problem(members, space), members.mass * len(members.row), penalty, start), space)


def stacking_space(members: Members) -> Space:
    """Return the space in which a stack adds up its members."""
    if members.classification:
        return "logit"
    return "log1p" if members.metric.name == "rmsle" else "linear"


def _sampled(members: Members) -> Members:
    rows = len(members.row)
    if rows <= SAMPLE:
        return members
    return members.rows_where(np.random.default_rng(derive_seed(0, "stack", rows)).random(rows) < SAMPLE / rows)


def _best_penalty(members: Members, space: Space, penalties: Sequence[float]) -> float:
    """Return the penalty whose mean score over splits, each predicted without it, is best; the larger of equal ones."""
    problem, mass = _problem(members, space), members.mass * len(members.row)
    losses = np.zeros(len(penalties))
    for part, defined in zip(members.slices, members.defined, strict=True):
        outside = members.outside(part)
        if not defined or not mass[outside].any():
            continue
        weight = None if members.weight is None else members.weight[part]
        start: Solution | None = None
        for place in reversed(range(len(penalties))):
            start = _solve(problem, mass * outside, penalties[place], start)
            predicted = _stack(*start, space).apply(members.predictions[:, part])
            losses[place] += members.metric.loss(members.metric(members.y[part], predicted, weight))
    return max(penalties, key=lambda penalty: (-losses[list(penalties).index(penalty)], penalty))


def _stack(coefficients: Array, intercept: Array, space: Space) -> LinearStack:
    return LinearStack(coefficients=tuple(coefficients.tolist()), intercept=tuple(intercept.tolist()), space=space)


def _mean(members: Members) -> Solution:
    return np.full(len(members), 1.0 / len(members)), np.zeros(members.outputs)


def _problem(members: Members, space: Space) -> Pool | Ridge:
    return Pool(members) if space == "logit" else Ridge(members, space)


def _solve(problem: Pool | Ridge, weight: Array, penalty: float, start: Solution | None = None) -> Solution:
    """Return the solution of the least penalised loss under row weights ``(rows,)``; 0 leaves a row out."""
    mean = _mean(problem.members)
    return mean if np.isinf(penalty) else problem.solve(weight, penalty, start or mean)
