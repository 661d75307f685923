"""CatBoost (Prokhorenkova et al., 2018): oblivious trees and ordered statistics of categories. An extra of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import FactoryError
from workbench.models.family import Family

if TYPE_CHECKING:
    from catboost import CatBoost

    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.catboost:build", preparation="native", version=1)


def build(hp: HyperParameters, problem: Problem) -> CatBoost:
    """Return an unfitted estimator; rounds, seed, threads and early stopping are set by the training.

    The ranges follow Gorishniy et al. (2021, "Revisiting deep learning models for tabular data"), appendix F.

    Raises:
        FactoryError: CatBoost is not installed.
    """
    try:
        from catboost import CatBoostClassifier, CatBoostRegressor
    except ModuleNotFoundError as error:
        raise FactoryError("the family 'catboost' needs CatBoost: pip install 'workbench[catboost]'") from error
    options: dict[str, Any] = {
        "learning_rate": hp.Float("lr", 0.01, 0.3, sampling="log", default=_rate(problem)),
        "depth": hp.Int("depth", 3, 10, default=6),
        "l2_leaf_reg": hp.Float("l2", 1.0, 30.0, sampling="log", default=3.0),
        "random_strength": hp.Float("random_strength", 0.1, 20.0, sampling="log", default=1.0),
        "bagging_temperature": hp.Float("bagging_temperature", 0.0, 1.0, default=0.5),
        "bootstrap_type": "Bayesian",
        "rsm": hp.Float("colsample", 0.2, 1.0, default=1.0 if problem.width <= 50 else 0.3),
    }
    if problem.schema.categorical:
        options["one_hot_max_size"] = hp.Int("one_hot_max_size", 2, 64, sampling="log", default=4)
    if problem.task == "regression":
        return CatBoostRegressor(loss_function=_loss(problem), **options)
    return CatBoostClassifier(loss_function="Logloss" if problem.task == "binary" else "MultiClass", **options)


def _rate(problem: Problem) -> float:
    """A round costs by rows and classes: large tables take fewer, larger steps."""
    return 0.05 if problem.rows * problem.outputs < 20_000 else 0.1


def _loss(problem: Problem) -> str:
    kind, quantile = problem.objective
    return f"Quantile:alpha={quantile}" if kind == "quantile" else "MAE" if kind == "absolute" else "RMSE"
