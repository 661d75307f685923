"""``hp``: KerasTuner's methods over one record."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import FactoryError
from workbench.models import ranges
from workbench.models.hyperparameters import HyperParameters
from workbench.types import Condition, Parameter, Space

WHOLE = st.integers(-1000, 1000)
SAMPLINGS = st.sampled_from(ranges.SAMPLINGS)


@st.composite
def numbers(draw: st.DrawFn) -> Parameter:
    """Return int and float parameters of every sampling, with and without a step."""
    kind = draw(st.sampled_from(["int", "float"]))
    sampling = draw(SAMPLINGS)
    low = draw(st.integers(1, 100) if sampling != "linear" else WHOLE)
    high = low + draw(st.integers(0, 1000))
    step = draw(st.none() | st.integers(2, 50))
    return ranges.number("x", kind, low, high, step=step, sampling=sampling)


@given(numbers(), st.data())
def test_every_value_of_a_grid_is_accepted_in_its_own_type(parameter: Parameter, data: st.DataObject):
    places = ranges.count(parameter)
    if places is None:
        assert parameter.kind == "float"
        assert parameter.step is None
        return
    values = [ranges.value_at(parameter, index) for index in range(min(places, 50))]
    assert values == sorted(values)
    assert float(ranges.value_at(parameter, 0)) == pytest.approx(parameter.low)
    assert float(ranges.value_at(parameter, places - 1)) == pytest.approx(parameter.high)
    value = data.draw(st.sampled_from(values))
    got = ranges.checked(parameter, value)
    assert got == pytest.approx(value)
    assert type(got) is (int if parameter.kind == "int" else float)


@given(numbers(), st.floats(allow_nan=True, allow_infinity=True))
def test_what_is_outside_a_range_is_refused(parameter: Parameter, value: float):
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    slack = 1e-6 * max(abs(low), abs(high))
    inside = low - slack <= value <= high + slack and (parameter.kind == "float" or value == int(value))
    if inside:
        return
    with pytest.raises(FactoryError, match="hyperparameter 'x': expected"):
        ranges.checked(parameter, value)


@given(numbers())
def test_parameters_travel_as_json(parameter: Parameter):
    assert Parameter.model_validate_json(parameter.model_dump_json()) == parameter


def declare_all(hp: HyperParameters) -> dict[str, object]:
    return {
        "int": hp.Int("int", 1, 10),
        "log_int": hp.Int("log_int", 2, 40, step=2, sampling="log", default=8),
        "float": hp.Float("float", 0, 1, step=0.1, default=0.3),
        "reverse": hp.Float("reverse", 0.5, 0.999, sampling="reverse_log"),
        "choice": hp.Choice("choice", ["a", "b"], default="b"),
        "boolean": hp.Boolean("boolean"),
        "fixed": hp.Fixed("fixed", 3),
    }


def test_defaults_are_keras_tuners():
    hp = HyperParameters()
    expected = {
        "int": 1, "log_int": 8, "float": 0.3, "reverse": 0.5, "choice": "b", "boolean": False, "fixed": 3,
    }  # fmt: skip
    assert declare_all(hp) == expected
    assert hp.used == hp.values == hp.space.defaults() == expected
    assert [p.name for p in hp.space.searched] == [name for name in expected if name != "fixed"]


def test_given_values_are_returned_and_recorded_in_the_declared_type():
    given_values = {"int": 10, "log_int": 32, "float": 1, "choice": "a", "boolean": True, "unknown": 1}
    hp = HyperParameters(given_values)
    got = declare_all(hp)
    assert got["float"] == 1.0
    assert isinstance(got["float"], float)
    del given_values["unknown"]
    assert hp.used == {**given_values, "reverse": 0.5, "fixed": 3}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"int": 11}, "expected int from 1 to 10, default 1; got 11"),
        ({"int": 1.5}, r"got 1\.5 \(float\)"),
        ({"int": True}, r"got True \(bool\)"),
        ({"int": "3"}, r"got '3' \(str\)"),
        ({"float": 1.01}, r"expected float from 0 to 1, step 0\.1, default 0\.3; got 1\.01"),
        ({"float": math.nan}, "got nan"),
        ({"choice": "c"}, "expected 'a' or 'b', got 'c'"),
        ({"choice": None}, "expected a bool, int, float or str, got None"),
        ({"boolean": 1}, "expected False or True, got 1"),
        ({"fixed": 4}, "expected 3, got 4"),
    ],
)
def test_values_out_of_range_or_of_another_type_are_refused(values, message):
    with pytest.raises(FactoryError, match=message):
        declare_all(HyperParameters(values))


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda hp: hp.Int("x", 5, 1), "min_value 5 is greater than max_value 1"),
        (lambda hp: hp.Int("x", 1, 5.5), r"max_value of an int must be a whole number, got 5\.5"),
        (lambda hp: hp.Float("x", 0, 1, sampling="log"), r"sampling='log' needs min_value > 0, got 0\.0"),
        (lambda hp: hp.Int("x", 1, 9, step=1, sampling="log"), "step > 1; got 1"),
        (lambda hp: hp.Float("x", 0, 1, step=-1), r"step must be greater than 0, got -1\.0"),
        (lambda hp: hp.Float("x", 0, 1, sampling="cubic"), "must be one of linear, log, reverse_log"),
        (lambda hp: hp.Float("x", 0, math.inf), "max_value must be a finite number, got inf"),
        (lambda hp: hp.Float("x", 0, "1"), "max_value must be a finite number, got '1'"),
        (lambda hp: hp.Int("x", 1, 9, default=10), "expected int from 1 to 9, default 10; got 10"),
        (lambda hp: hp.Int("x", 32, 512, step=32, default=100), r"default 100 is not reached .* nearest value is 96"),
        (lambda hp: hp.Choice("x", []), "at least one value, got none"),
        (lambda hp: hp.Choice("x", ["a"], default="b"), "expected 'a', got 'b'"),
        (lambda hp: hp.Choice("x", ["a"], ordered=True), "ordered=True needs numbers"),
        (lambda hp: hp.Choice("x", [print]), "look the object up in the factory"),
        (lambda hp: hp.Boolean("x", default=2), "expected False or True, got 2"),
        (lambda hp: hp.Int("x", 1, 2, parent_name="y", parent_values=[1]), "'y': no such hyperparameter was declared"),
    ],
)
def test_impossible_declarations_are_refused(declare, message):
    with pytest.raises(FactoryError, match=message):
        declare(HyperParameters())


def test_the_top_of_a_range_is_a_value_of_the_grid():
    hp = HyperParameters()
    hp.Int("linear", 6, 13, step=3)
    hp.Int("log", 2, 40, step=2, sampling="log")
    hp.Float("float", 0, 1, step=0.3)
    assert [p.high for p in hp.space.parameters] == [12, 32, pytest.approx(0.9)]


def test_the_same_name_twice_is_the_same_value_or_an_error():
    hp = HyperParameters({"x": 3})
    assert hp.Int("x", 1, 5) == hp.Int("x", 1, 5, step=1) == 3
    assert len(hp.space.parameters) == 1
    with pytest.raises(FactoryError, match=r"declared twice: as int from 1 to 5.*and as int from 1 to 6"):
        hp.Int("x", 1, 6)


def test_an_inactive_parameter_gives_its_default_and_is_not_used():
    hp = HyperParameters({"kind": "a", "n": 4})
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["b"]):
        assert hp.Int("n", 1, 5, default=2) == 2
        with hp.conditional_scope("n", 2):
            assert hp.Float("deeper", 0, 1) == 0.0
    assert hp.used == {"kind": "a"}
    assert "n" not in hp
    with pytest.raises(ValueError, match="'n' is inactive"):
        hp.get("n")
    with pytest.raises(KeyError, match=r"not declared.*Did you mean 'kind'"):
        hp["kin"]
    assert hp.space.parameters[2].conditions == (
        Condition(parameter="kind", values=("b",)),
        Condition(parameter="n", values=(2,)),
    )


def test_an_active_parameter_of_a_condition_is_used():
    hp = HyperParameters({"kind": "b", "n": 4})
    hp.Choice("kind", ["a", "b"])
    assert hp.Int("n", 1, 5, parent_name="kind", parent_values="b") == 4
    assert hp["n"] == 4
    assert hp.used == {"kind": "b", "n": 4}


def test_what_is_active_in_the_space_is_what_was_used():
    for kind in "abc":
        hp = HyperParameters({"kind": kind})
        hp.Choice("kind", ["a", "b", "c"])
        for one in ("a", "b"):
            with hp.conditional_scope("kind", [one]):
                hp.Int("shared", 1, 5)
        active = {p.name for p in hp.space.parameters if p.active(hp.used)}
        assert active == set(hp.used) == ({"kind", "shared"} if kind != "c" else {"kind"})


def test_name_scopes_prefix_names_and_parents():
    hp = HyperParameters({"block/depth": 3, "block/inner/width": 7})
    with hp.name_scope("block"):
        hp.Int("depth", 1, 4)
        with hp.name_scope("inner"):
            assert hp.Int("width", 1, 9) == 7
        assert hp.Int("extra", 1, 9, parent_name="depth", parent_values=[3]) == 1
        assert hp.get("depth") == 3
    assert list(hp.used) == ["block/depth", "block/inner/width", "block/extra"]


def test_a_condition_on_itself_is_refused():
    hp = HyperParameters()
    hp.Int("x", 1, 5)
    with hp.conditional_scope("x", [1]), pytest.raises(FactoryError, match="condition on itself"):
        hp.Int("x", 1, 5)


def test_a_copy_is_independent():
    hp = HyperParameters({"x": 2})
    hp.Int("x", 1, 5)
    other = hp.copy()
    other.Int("y", 1, 5)
    assert "y" in other
    assert "y" not in hp
    assert other.get("x") == 2


def test_numpy_scalars_are_taken_as_numbers():
    np = pytest.importorskip("numpy")
    hp = HyperParameters({"x": np.int64(3)})
    assert hp.Int("x", np.int32(1), np.int64(5)) == 3
    assert type(hp.used["x"]) is int
    assert hp.Choice("c", list(np.array([0.5, 1.0]))) == 0.5
    assert isinstance(hp.space, Space)


@pytest.mark.slow
def test_declarations_agree_with_keras_tuner():
    """In a process of its own: keras_tuner imports TensorFlow, and Keras keeps the backend it first met."""
    pytest.importorskip("keras_tuner")
    script = Path(__file__).with_name("keras_tuner_agreement.py")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("agreed")
