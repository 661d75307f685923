"""Boosted estimators of a user's own: what they say of rounds is honoured or refused, never lost."""

from __future__ import annotations

import pytest

from workbench.errors import FactoryError
from workbench.training.runner import run
from workbench.types import TrialResult

LIGHTGBM, XGBOOST = "lightgbm.LGBMRegressor", "xgboost.XGBRegressor"
SOURCE = """
import {library}

def build(hp, problem):
    return {estimator}({options})
"""


def silent(_: object) -> bool:
    return False


def fitted(make_job, own_factory, estimator: str, options: str) -> TrialResult:
    source = SOURCE.format(library=estimator.partition(".")[0], estimator=estimator, options=options)
    result = run(make_job("regression", own_factory(source, "native"), vault=None), silent)
    assert isinstance(result, TrialResult)
    return result


@pytest.mark.parametrize("estimator", [LIGHTGBM, XGBOOST])
def test_the_factorys_rounds_are_an_upper_limit(make_job, own_factory, estimator: str) -> None:
    slow = "learning_rate=0.01"
    assert fitted(make_job, own_factory, estimator, f"n_estimators=7, {slow}").epochs == (7, 7, 7)
    # The job's settings say 60.
    assert fitted(make_job, own_factory, estimator, f"n_estimators=5000, {slow}").epochs == (60, 60, 60)
    assert fitted(make_job, own_factory, estimator, slow).epochs == (60, 60, 60)


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        (LIGHTGBM, "num_boost_round=5", r"LGBMRegressor\(num_boost_round=5\)"),
        (LIGHTGBM, "n_iter=5, early_stopping_rounds=2", r"early_stopping_rounds=2, n_iter=5"),
        (XGBOOST, "early_stopping_rounds=2", r"XGBRegressor\(early_stopping_rounds=2\)"),
        (LIGHTGBM, "boosting_type='dart'", "best round cannot be restored"),
        (LIGHTGBM, "boosting='dart'", "best round cannot be restored"),
        (XGBOOST, "booster='dart'", "best round cannot be restored"),
    ],
)
def test_what_the_training_cannot_honour_is_refused(make_job, own_factory, estimator, options, message) -> None:
    with pytest.raises(FactoryError, match=message):
        fitted(make_job, own_factory, estimator, options)


def test_other_names_of_metric_and_threads_change_nothing(make_job, own_factory) -> None:
    plain = fitted(make_job, own_factory, LIGHTGBM, "")
    named = fitted(make_job, own_factory, LIGHTGBM, "metrics='l1', num_threads=2, verbose=1, metric='l2'")
    assert (named.scores, named.best_epochs) == (plain.scores, plain.best_epochs)
    assert named.epochs == plain.epochs


def test_the_lists_hold_all_names_that_lightgbm_knows() -> None:
    from lightgbm import LGBMModel
    from lightgbm.basic import _ConfigAliases

    from workbench.training import lightgbm_path as path

    assert LGBMModel().get_params()["n_estimators"] == path.DEFAULT_ROUNDS
    assert _ConfigAliases.get("num_iterations") == {*path.ROUNDS, "n_estimators"}
    assert _ConfigAliases.get("early_stopping_round") == set(path.STOPPING)
    assert _ConfigAliases.get("boosting") == set(path.BOOSTING)
    others = _ConfigAliases.get("metric", "num_threads", "verbosity") - {"metric", "n_jobs", "verbosity"}
    assert others <= set(path.OVERRULED)
