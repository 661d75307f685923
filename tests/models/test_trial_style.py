"""``trial``: Optuna's methods over the same record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import FactoryError
from workbench.models.hyperparameters import HyperParameters
from workbench.models.trial_style import TrialStyle


def test_defaults_are_the_middle_or_the_first_choice():
    hp = HyperParameters()
    trial = TrialStyle(hp)
    assert trial.suggest_float("float", 0.0, 1.0) == 0.5
    assert trial.suggest_float("log", 1e-4, 1e-2, log=True) == pytest.approx(1e-3)
    assert trial.suggest_float("step", 0.0, 1.0, step=0.25) == 0.5
    assert trial.suggest_int("int", 1, 9) == 5
    assert trial.suggest_int("int_step", 32, 512, step=32) == 256
    assert trial.suggest_int("int_log", 4, 256, log=True) == 32
    assert trial.suggest_categorical("choice", ["relu", "gelu"]) == "relu"
    assert trial.suggest_uniform("uniform", -1, 1) == 0.0
    assert trial.suggest_loguniform("loguniform", 1, 100) == pytest.approx(10)
    assert trial.suggest_discrete_uniform("discrete", 0, 1, 0.5) == 0.5
    assert trial.params == hp.used
    assert {p.name: p.default for p in hp.space.parameters} == hp.used


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.booleans())
def test_a_default_lies_in_its_range(a: float, b: float, log: bool):
    low, high = min(a, b), max(a, b)
    trial = TrialStyle(HyperParameters())
    assert low <= trial.suggest_float("x", low, high, log=log) <= high
    first, last = max(1, int(low)), max(1, int(high))
    assert first <= trial.suggest_int("n", first, last, log=log) <= last


def test_values_are_given_and_none_is_a_choice():
    trial = TrialStyle(HyperParameters({"weight": "None", "n": 3, "x": 0.25}))
    assert trial.suggest_categorical("weight", ["balanced", None]) is None
    assert trial.suggest_int("n", 1, 4) == 3
    assert trial.suggest_float("x", 0, 1) == 0.25
    assert trial.params == {"weight": "None", "n": 3, "x": 0.25}
    assert trial.suggest_categorical("text", ["None", "some"]) == "None"


def test_what_optuna_refuses_is_refused():
    trial = TrialStyle(HyperParameters({"n": 9}))
    with pytest.raises(FactoryError, match="step and log=True exclude each other"):
        trial.suggest_float("x", 1, 2, step=0.1, log=True)
    with pytest.raises(FactoryError, match="step and log=True exclude each other"):
        trial.suggest_int("y", 1, 8, step=2, log=True)
    with pytest.raises(FactoryError, match=r"expected int from 1 to 4, default 2; got 9"):
        trial.suggest_int("n", 1, 4)
    with pytest.raises(FactoryError, match="both None and 'None'"):
        trial.suggest_categorical("c", [None, "None"])


def test_what_a_factory_has_no_use_for_is_explained():
    trial = TrialStyle(HyperParameters())
    with pytest.raises(AttributeError, match=r"has no 'report'.*reported and trials pruned by the workbench"):
        trial.report(0.5, 1)
