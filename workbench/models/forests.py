"""Forests: random forests (Breiman, 2001) and extremely randomised trees (Geurts, Ernst and Wehenkel, 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family

if TYPE_CHECKING:
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

RANDOM_FOREST = Family(build="workbench.models.forests:random_forest", preparation="ordinal", version=1)
EXTRA_TREES = Family(build="workbench.models.forests:extra_trees", preparation="ordinal", version=1)

MOST_LEAVES = 250_000
"""Leaves of a forest: a bundle of so many has about 5 MB."""


def random_forest(hp: HyperParameters, problem: Problem) -> RandomForestClassifier | RandomForestRegressor:
    """Return an unfitted forest of trees on bootstrap samples; seed and threads are set by the training.

    The ranges follow Probst, Wright and Boulesteix, "Hyperparameters and tuning strategies for random forest", 2019:
    the columns tried at a split matter most, then the sample and the leaf.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    options = _options(hp, problem, columns=0.4)
    options["max_samples"] = hp.Float("max_samples", 0.3, 1.0, default=1.0)
    return RandomForestRegressor(**options) if problem.task == "regression" else RandomForestClassifier(**options)


def extra_trees(hp: HyperParameters, problem: Problem) -> ExtraTreesClassifier | ExtraTreesRegressor:
    """Return an unfitted forest whose cuts are drawn; seed and threads are set by the training."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    options = _options(hp, problem, columns=0.6)
    return ExtraTreesRegressor(**options) if problem.task == "regression" else ExtraTreesClassifier(**options)


def _options(hp: HyperParameters, problem: Problem, columns: float) -> dict[str, Any]:
    trees = _trees(problem.rows)
    return {
        "n_estimators": trees,
        "max_features": hp.Float("max_features", 0.05, 1.0, default=columns),
        "min_samples_leaf": hp.Int("min_samples_leaf", 1, 64, sampling="log", default=_leaf(problem)),
        "max_leaf_nodes": MOST_LEAVES // trees,
        "criterion": _criterion(hp, problem),
    }


def _criterion(hp: HyperParameters, problem: Problem) -> str:
    """Regression minimises the squared error whatever the metric: trees of absolute errors take 100 times as long."""
    return "squared_error" if problem.task == "regression" else str(hp.Choice("criterion", ["gini", "entropy"]))


def _trees(rows: int) -> int:
    return 200 if rows < 20_000 else 100


def _leaf(problem: Problem) -> int:
    """Pure leaves give probabilities of 0 and 1, which log loss and ranks dislike."""
    return 2 if problem.task == "regression" else 3
