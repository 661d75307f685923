"""The base that everything must beat: a constant that sees no feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.models.family import Family

if TYPE_CHECKING:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.dummy:build", preparation="native", version=1)


def build(hp: HyperParameters, problem: Problem) -> DummyClassifier | DummyRegressor:  # noqa: ARG001 - the contract
    """Return the best constant: class frequencies, the quantile that the metric aims at, else the mean.

    For ``rmsle`` the target is ``log1p``-transformed in the fold, in which the mean is the best constant again.
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if problem.task != "regression":
        return DummyClassifier(strategy="prior")
    kind, quantile = problem.objective
    return DummyRegressor() if kind == "squared" else DummyRegressor(strategy="quantile", quantile=quantile)
