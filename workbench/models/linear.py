"""The linear family: logistic regression, or ridge regression, on scaled numbers and one-hot categories.

It is the cheapest model that looks at the features, and unlike the trees' its errors: a blend likes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.models.family import Family

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression, Ridge

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.linear:build", preparation="one_hot", version=1)

MOST_NEWTON = 128
"""Coefficients up to which Newton's method is taken, whose Hessian has their square; above it L-BFGS.

On otto (43,315 x 93, 9 classes) L-BFGS took 1.2 s a fold and Newton's method 15 s.
"""
TOLERANCE = 1e-3
"""scikit-learn's own 1e-4 took ten times as long there, for a log loss of 0.634 instead of 0.637."""


def build(hp: HyperParameters, problem: Problem) -> LogisticRegression | Ridge:
    """Return an unfitted estimator with a squared penalty on the coefficients (Hoerl and Kennard, 1970).

    Regression minimises the squared error whatever the metric: a regression to quantiles is a linear program, and slow.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    penalty = hp.Float("l2", 1e-3, 1e4, sampling="log", default=_penalty(problem))
    if problem.task == "regression":
        return Ridge(alpha=penalty)
    return LogisticRegression(C=1.0 / penalty, solver=_solver(problem), max_iter=200, tol=TOLERANCE)


def _penalty(problem: Problem) -> float:
    """Few rows for each coefficient need more of it."""
    return 1.0 if problem.rows > 20 * problem.width else 10.0 if problem.rows > problem.width else 100.0


def _solver(problem: Problem) -> str:
    return "newton-cholesky" if problem.width * problem.outputs <= MOST_NEWTON else "lbfgs"
