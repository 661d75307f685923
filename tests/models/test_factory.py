"""Calling factories of every shape, and telling their errors."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from workbench.errors import FactoryError, TrialFailed
from workbench.models.factory import call_factory
from workbench.models.hyperparameters import HyperParameters
from workbench.models.own_fit import call_fit, own_fit
from workbench.models.problem import Problem
from workbench.types import InputSchema

PROBLEM = Problem(task="regression", metric="rmse", classes=(), schema=InputSchema(numeric=("x",)), rows=3)


def usual(hp, problem):
    return hp.Int("n", 1, 4), problem


def keyword(hp, *, problem):
    return hp.Int("n", 1, 4), problem


def optional(hp, problem=None, depth=1):
    return hp.Int("n", 1, 4) * depth, problem


def alone(hp):
    return hp.Int("n", 1, 4), None


def with_option(hp, depth=1):
    return hp.Int("n", 1, 4) * depth, None


def optuna_style(trial, problem):
    return trial.suggest_int("n", 1, 6), problem


def optuna_alone(trial):
    return trial.suggest_int("n", 1, 6), None


class Hyper:
    def build(self, hp):
        return hp.Int("n", 1, 4), None


class HyperWithProblem:
    def build(self, hp, problem):
        return hp.Int("n", 1, 4), problem


class Callable:
    def __call__(self, hp, problem):
        return hp.Int("n", 1, 4), problem


TAKES_PROBLEM = (
    usual,
    keyword,
    optional,
    optuna_style,
    HyperWithProblem,
    HyperWithProblem(),
    Callable(),
    functools.partial(usual),
)
TAKES_NONE = (alone, with_option, optuna_alone, Hyper, Hyper(), Hyper().build)


@pytest.mark.parametrize("factory", TAKES_PROBLEM + TAKES_NONE)
def test_every_shape_of_factory_gets_its_arguments(factory):
    hp = HyperParameters({"n": 3})
    assert call_factory(factory, hp, PROBLEM) == (3, PROBLEM if factory in TAKES_PROBLEM else None)
    assert hp.used == {"n": 3}


def test_inactive_parameters_are_none_for_keras_tuners_signature_only():
    def declare(hp: Any) -> Any:
        hp.Boolean("flag")
        return [hp.Int("n", 2, 4, parent_name="flag", parent_values=[True])]

    hp = HyperParameters()
    assert call_factory(lambda hp: declare(hp), hp, PROBLEM) == [None]
    assert call_factory(lambda hp, problem: declare(hp), hp, PROBLEM) == [2]  # noqa: ARG005
    assert hp.used == {"flag": False}


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda: 1, r"factory '<lambda>\(\)': expected build\(hp, problem\)"),
        (lambda hp, problem, more: 1, "expected build"),  # noqa: ARG005
        (lambda hp: None, "returned None; expected a compiled model"),  # noqa: ARG005
        (3, "expected a function build"),
    ],
)
def test_what_is_no_factory_is_refused(factory, message):
    with pytest.raises(FactoryError, match=message):
        call_factory(factory, HyperParameters(), PROBLEM)


def broken(hp):
    return hp.Int("n", 1, 4) / 0


def calls_wrongly(hp):
    return hp.Int("n", 4, 1)


def test_an_error_shows_the_users_lines_only():
    with pytest.raises(FactoryError) as caught:
        call_factory(broken, HyperParameters(), PROBLEM)
    message = str(caught.value)
    assert message.startswith("factory 'broken' raised ZeroDivisionError")
    assert 'return hp.Int("n", 1, 4) / 0' in message
    assert "workbench/models" not in message
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_wrong_declaration_shows_where_it_was_made():
    with pytest.raises(FactoryError, match=r"(?s)min_value 4 is greater than max_value 1.*in calls_wrongly"):
        call_factory(calls_wrongly, HyperParameters(), PROBLEM)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), TrialFailed("nonfinite", "no")]
)
def test_errors_that_are_not_the_factorys_pass(error):
    def build(hp: Any) -> None:  # noqa: ARG001
        raise error

    with pytest.raises(type(error)) as caught:
        call_factory(build, HyperParameters(), PROBLEM)
    assert caught.value is error


class Sized:
    def __init__(self, classes):
        self.classes = classes

    def build(self, hp):
        return hp.Int("n", 1, self.classes), None


def test_a_class_with_arguments_is_used_through_its_object():
    assert call_factory(Sized(3), HyperParameters({"n": 3}), PROBLEM) == (3, None)
    with pytest.raises(FactoryError, match=r"(?s)missing 1 required.*'classes'.*write 'model = Sized\(\.\.\.\)'"):
        call_factory(Sized, HyperParameters(), PROBLEM)


class Fits(Hyper):
    def fit(self, hp, model, *args, **kwargs):  # noqa: ARG002
        if hp.Boolean("broken", default=True):
            raise ValueError("no such thing")
        model.append(dict(batch=hp.Int("batch", 1, 2), epochs=5, **kwargs))


class FitsPlainly(Hyper):
    def fit(self, hp, model, x, y, validation_data):  # noqa: ARG002
        model.append(validation_data)


def test_a_fit_of_its_own_gets_what_it_takes_and_what_it_has_not_chosen_itself():
    assert [own_fit(factory) for factory in (usual, Hyper(), Hyper)] == [None] * 3
    hp, model = HyperParameters({"broken": False}), []
    options = {"validation_data": (1, 2), "epochs": 3, "verbose": 0}
    call_fit(own_fit(Fits()), hp, model, [1], [2], **options)
    call_fit(own_fit(FitsPlainly()), hp, model, [1], [2], **options)
    assert model == [{"batch": 1, "epochs": 5, "validation_data": (1, 2), "verbose": 0}, (1, 2)]
    assert hp.used == {"broken": False, "batch": 1}
    with pytest.raises(FactoryError, match=r"(?s)'fit' raised ValueError: no such thing.*raise ValueError"):
        call_fit(own_fit(Fits()), HyperParameters(), [], [1], [2], **options)
    with pytest.raises(FactoryError, match="the factory's fit takes no sample_weight"):
        call_fit(own_fit(FitsPlainly()), hp, model, [1], [2], sample_weight=[3], **options)
