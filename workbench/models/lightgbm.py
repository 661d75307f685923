"""LightGBM (Ke et al., 2017) on raw features: gaps and categories are left to the trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family

if TYPE_CHECKING:
    from lightgbm import LGBMModel

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.lightgbm:build", preparation="native", version=2)


def build(hp: HyperParameters, problem: Problem) -> LGBMModel:
    """Return an unfitted estimator; rounds, seed, threads and early stopping are set by the training.

    The ranges follow the search spaces of Grinsztajn et al. (2022) and of pytabkit (Holzmüller et al., 2024); the
    defaults are near the latter's tuned ones: a slower learning rate and row and feature sampling. Large tables of many
    classes get a faster one on fewer columns, and leaves of more weight against its overfitting: on otto (43,315 x 93,
    9 classes) a fold took 18 s on two busy cores (log loss 0.4925), and 46 s with half the rate (0.4843).
    """
    from lightgbm import LGBMClassifier, LGBMRegressor

    options: dict[str, Any] = {
        "learning_rate": hp.Float("lr", 0.01, 0.3, sampling="log", default=0.2 if problem.costly else 0.05),
        "num_leaves": hp.Int("num_leaves", 4, 256, sampling="log", default=31),
        "min_child_samples": hp.Int("min_child_samples", 2, 100, sampling="log", default=_leaf(problem)),
        "min_child_weight": hp.Float(
            "min_child_weight", 1e-3, 10.0, sampling="log", default=2.0 if problem.costly else 1e-3
        ),
        "colsample_bytree": hp.Float("colsample", 0.3, 1.0, default=0.3 if problem.costly else 0.7),
        "reg_lambda": hp.Float("l2", 1e-3, 100.0, sampling="log", default=5.0 if problem.costly else 1.0),
        "min_split_gain": hp.Float("min_split_gain", 1e-8, 1.0, sampling="log", default=1e-8),
        "extra_trees": hp.Boolean("extra_trees", default=False),
        **_bagging(hp),
        **_categories(hp, problem),
    }
    if problem.task == "regression":
        return LGBMRegressor(**_objective(problem), **options)
    return LGBMClassifier(objective=problem.task, **options)


def _objective(problem: Problem) -> dict[str, Any]:
    kind, quantile = problem.objective
    if kind == "quantile":
        return {"objective": "quantile", "alpha": quantile}
    return {"objective": "l1" if kind == "absolute" else "l2"}


def _leaf(problem: Problem) -> int:
    """LightGBM's own 20 is too coarse for a few hundred rows."""
    return 20 if problem.rows >= 2000 else 10


def _bagging(hp: HyperParameters) -> dict[str, Any]:
    sampling = hp.Choice("sampling", ["bagging", "goss"], default="bagging")
    if sampling == "goss":
        return {"data_sample_strategy": "goss"}
    with hp.conditional_scope("sampling", ["bagging"]):
        return {"subsample": hp.Float("subsample", 0.5, 1.0, default=0.8), "subsample_freq": 1}


def _categories(hp: HyperParameters, problem: Problem) -> dict[str, Any]:
    if not problem.schema.categorical:
        return {}
    return {
        "cat_smooth": hp.Float("cat_smooth", 1.0, 100.0, sampling="log", default=10.0),
        "cat_l2": hp.Float("cat_l2", 0.1, 100.0, sampling="log", default=10.0),
    }
