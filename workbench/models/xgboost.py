"""XGBoost (Chen and Guestrin, 2016) on raw features: gaps and categories are left to the trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family

if TYPE_CHECKING:
    from xgboost import XGBModel

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.xgboost:build", preparation="native", version=2)


def build(hp: HyperParameters, problem: Problem) -> XGBModel:
    """Return an unfitted estimator; rounds, seed, threads and early stopping are set by the training.

    The ranges follow the search space of Grinsztajn et al. (2022), appendix A.3; the defaults are near the tuned ones
    of pytabkit (Holzmüller et al., 2024). Large tables of many classes get a faster learning rate on fewer columns: on
    otto (43,315 x 93, 9 classes) a fold took 27 s on two busy cores, for a log loss of 0.486.
    """
    from xgboost import XGBClassifier, XGBRegressor

    options: dict[str, Any] = {
        "learning_rate": hp.Float("lr", 0.01, 0.3, sampling="log", default=0.2 if problem.costly else 0.05),
        "subsample": hp.Float("subsample", 0.5, 1.0, default=0.8),
        "colsample_bytree": hp.Float("colsample", 0.3, 1.0, default=0.3 if problem.costly else 0.7),
        "min_child_weight": hp.Float("min_child_weight", 1e-2, 100.0, sampling="log", default=2.0),
        "reg_lambda": hp.Float("l2", 1e-3, 100.0, sampling="log", default=1.0),
        "reg_alpha": hp.Float("l1", 1e-8, 10.0, sampling="log", default=1e-8),
        "gamma": hp.Float("gamma", 1e-8, 7.0, sampling="log", default=1e-8),
        "tree_method": "hist",
        **_growth(hp),
        **_categories(hp, problem),
    }
    if problem.task == "regression":
        return XGBRegressor(**_objective(problem), **options)
    return XGBClassifier(objective="binary:logistic" if problem.task == "binary" else "multi:softprob", **options)


def _objective(problem: Problem) -> dict[str, Any]:
    kind, quantile = problem.objective
    if kind == "quantile":
        return {"objective": "reg:quantileerror", "quantile_alpha": quantile}
    return {"objective": "reg:absoluteerror" if kind == "absolute" else "reg:squarederror"}


def _growth(hp: HyperParameters) -> dict[str, Any]:
    policy = hp.Choice("grow_policy", ["depthwise", "lossguide"], default="depthwise")
    if policy == "depthwise":
        with hp.conditional_scope("grow_policy", ["depthwise"]):
            return {"grow_policy": policy, "max_depth": hp.Int("max_depth", 2, 11, default=6)}
    with hp.conditional_scope("grow_policy", ["lossguide"]):
        leaves = hp.Int("max_leaves", 4, 256, sampling="log", default=32)
        return {"grow_policy": policy, "max_leaves": leaves, "max_depth": 0}


def _categories(hp: HyperParameters, problem: Problem) -> dict[str, Any]:
    if not problem.schema.categorical:
        return {}
    return {"max_cat_to_onehot": hp.Int("max_cat_to_onehot", 1, 64, sampling="log", default=8)}
