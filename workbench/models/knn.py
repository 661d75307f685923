"""Nearest neighbours (Cover and Hart, 1967) on scaled numbers and one-hot categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family

if TYPE_CHECKING:
    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.neighbors import SampledNeighbors
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.knn:build", preparation="one_hot", version=1)

MOST_ROWS = 20_000
"""Neighbours are looked for in at most so many rows: each prediction measures its distance to all of them."""
MOST_TREE_WIDTH = 12
"""Columns up to which a k-d tree leaves out most distances (Friedman, Bentley and Finkel, 1977)."""


def build(hp: HyperParameters, problem: Problem) -> SampledNeighbors:
    """Return an unfitted estimator; seed and threads are set by the training."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    from workbench.models.neighbors import SampledNeighbors

    most = max(1, min(200, problem.rows // 4))
    options: dict[str, Any] = {
        "n_neighbors": hp.Int("k", 1, most, sampling="log", default=min(most, _neighbours(problem.rows))),
        "weights": hp.Choice("weights", ["uniform", "distance"], default="distance"),
        "p": hp.Choice("p", [1, 2], default=2),
        "algorithm": "kd_tree" if problem.width <= MOST_TREE_WIDTH else "brute",
    }
    kind = KNeighborsRegressor if problem.task == "regression" else KNeighborsClassifier
    return SampledNeighbors(kind(**options), MOST_ROWS)


def _neighbours(rows: int) -> int:
    """More rows bear a wider average: the error's best k grows with a power of the rows."""
    return 10 if rows < 2000 else 20
