"""What `discover` must find: every parameter, under conditions that all builds agree with."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import FactoryError
from workbench.models.hyperparameters import HyperParameters
from workbench.models.space import MAX_PROBES, discover
from workbench.types import Space


def conditions(space: Space) -> dict[str, dict[str, tuple[object, ...]]]:
    return {p.name: {c.parameter: c.values for c in p.conditions} for p in space.parameters}


def test_plain_python_branches_become_conditions():
    def build(hp: HyperParameters) -> None:
        optimizer = hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
        if optimizer == "sgd":
            hp.Float("momentum", 0.0, 0.99)
        if optimizer in ("sgd", "rmsprop"):
            hp.Float("decay", 0.0, 0.1)
        if hp.Boolean("norm"):
            hp.Choice("norm_kind", ["batch", "layer"])
        hp.Float("lr", 1e-4, 1e-1, sampling="log")

    assert conditions(discover(build)) == {
        "optimizer": {},
        "norm": {},
        "lr": {},
        "momentum": {"optimizer": ("sgd",)},
        "decay": {"optimizer": ("sgd", "rmsprop")},
        "norm_kind": {"norm": (True,)},
    }


def test_each_layer_of_a_counted_loop_depends_on_the_count():
    def build(hp: HyperParameters) -> None:
        for layer in range(hp.Int("layers", 1, 4)):
            hp.Int(f"units_{layer}", 8, 64)

    assert conditions(discover(build)) == {
        "layers": {},
        "units_0": {},
        "units_1": {"layers": (2, 3, 4)},
        "units_2": {"layers": (3, 4)},
        "units_3": {"layers": (4,)},
    }


def test_a_child_of_a_child_names_its_own_parent_only():
    def build(hp: HyperParameters) -> None:
        if hp.Boolean("a") and hp.Boolean("b", default=True):
            hp.Int("c", 1, 3)

    found = conditions(discover(build))
    assert found["b"] == {"a": (True,)}
    assert found["c"] == {"b": (True,)}


def test_a_conjunction_that_the_defaults_fulfil_is_found_whole():
    def build(hp: HyperParameters) -> None:
        a, b = hp.Boolean("a", default=True), hp.Boolean("b", default=True)
        if a and b:
            hp.Int("c", 1, 3)

    assert conditions(discover(build))["c"] == {"a": (True,), "b": (True,)}


def test_a_disjunction_is_left_unconditional():
    def build(hp: HyperParameters) -> None:
        a, b = hp.Boolean("a"), hp.Boolean("b")
        if a or b:
            hp.Int("c", 1, 3)

    assert conditions(discover(build))["c"] == {}


def test_declared_conditions_are_kept_and_not_doubled():
    def build(hp: HyperParameters) -> None:
        kind = hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("always_declared", 1, 5)
            if kind == "b":
                hp.Int("guarded", 1, 5)

    found = conditions(discover(build))
    assert found["always_declared"] == {"kind": ("b",)}
    assert found["guarded"] == {"kind": ("b",)}


def test_a_declared_condition_on_a_wide_parameter_is_probed():
    def build(hp: HyperParameters) -> None:
        width = hp.Int("width", 8, 512)
        with hp.conditional_scope("width", [256]):
            if width == 256:
                hp.Float("dropout", 0.0, 0.5)

    assert conditions(discover(build))["dropout"] == {"width": (256,)}


def test_same_name_under_two_branches_is_one_parameter_of_either():
    def build(hp: HyperParameters) -> None:
        kind = hp.Choice("kind", ["a", "b", "c"])
        for one in ("a", "b"):
            with hp.conditional_scope("kind", [one]):
                if kind == one:
                    hp.Int("units", 1, 5)

    found = discover(build)
    assert conditions(found)["units"] == {"kind": ("a", "b")}
    assert len(found.parameters) == 2


def test_a_range_that_depends_on_another_value_is_refused():
    def build(hp: HyperParameters) -> None:
        hp.Int("units", 1, 20 if hp.Boolean("wide") else 10)

    with pytest.raises(FactoryError, match=r"'units' is declared as int from 1 to 10.*with wide=True"):
        discover(build)


def test_an_error_away_from_the_defaults_names_the_values():
    def build(hp: HyperParameters) -> None:
        if hp.Choice("kind", ["good", "bad"]) == "bad":
            raise FactoryError("the layer does not exist")

    with pytest.raises(FactoryError, match=r"(?s)layer does not exist.*kind='bad'"):
        discover(build)


def test_the_number_of_builds_is_bounded():
    seen = []

    def build(hp: HyperParameters) -> None:
        seen.append(1)
        for i in range(10):
            hp.Choice(f"choice_{i}", list("abcdefghij"))

    assert len(discover(build).parameters) == 10
    assert len(seen) == MAX_PROBES


def test_whole_numbers_that_decide_nothing_cost_at_most_two_builds():
    seen = []

    def build(hp: HyperParameters) -> None:
        seen.append(hp.Int("depth", 1, 12, default=6))

    discover(build)
    assert sorted(seen) == [1, 6, 12]


def test_parents_come_before_children():
    def build(hp: HyperParameters) -> None:
        if hp.Boolean("a") and hp.Choice("b", ["x", "y"]) == "y":
            hp.Int("c", 1, 2)
        hp.Float("d", 0, 1)

    names = []
    for parameter in discover(build).parameters:
        assert {c.parameter for c in parameter.conditions} <= set(names)
        names.append(parameter.name)
    assert set(names) == {"a", "b", "c", "d"}


TABLES = st.lists(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2))), min_size=1, max_size=4)


@given(TABLES)
def test_no_condition_hides_a_parameter_where_a_build_showed_it(tables: list[set[tuple[int, int, int]]]):
    """Whatever decides a parameter's existence: where a probe saw it, the space calls it active."""
    probed = []

    def build(hp: HyperParameters) -> None:
        point = (hp.Choice("a", [0, 1]), hp.Choice("b", [0, 1, 2]), hp.Choice("c", [0, 1, 2]))
        for index, table in enumerate(tables):
            if point in table:
                hp.Float(f"child_{index}", 0, 1)
        probed.append(hp.used)

    space = discover(build)
    for used, parameter in itertools.product(probed, space.parameters):
        if parameter.name in used:
            assert parameter.active(used)
