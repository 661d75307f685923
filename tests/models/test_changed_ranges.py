"""Ranges of the experiment's configuration: they replace what a factory declares, where the kind is the same."""

from __future__ import annotations

import pytest

from workbench.errors import FactoryError
from workbench.models import ranges
from workbench.models.hyperparameters import HyperParameters
from workbench.models.space import discover
from workbench.types import Space

WIDE = Space(parameters=(ranges.number("units", "int", 4, 32, default=6), ranges.choice("kind", ["a"])))


def declare(hp: HyperParameters) -> tuple[object, object]:
    units = hp.Int("units", 4, 8)
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["b"]):
        return units, hp.Int("inner", 1, 2)


def test_a_changed_range_holds_for_values_defaults_and_the_space() -> None:
    assert declare(HyperParameters({"units": 32}, space=WIDE))[0] == 32
    hp = HyperParameters(space=WIDE)
    assert declare(hp) == (6, 1)
    assert "inner" not in hp
    assert hp.space.parameters[:2] == WIDE.parameters
    with pytest.raises(FactoryError, match="from 4 to 32"):
        declare(HyperParameters({"units": 33}, space=WIDE))
    with pytest.raises(FactoryError, match="'kind': expected 'a', got 'b'"):
        declare(HyperParameters({"kind": "b"}, space=WIDE))


def test_a_range_of_another_kind_is_refused() -> None:
    other = Space(parameters=(ranges.number("units", "float", 0, 1),))
    with pytest.raises(FactoryError, match=r"float from 0 to 1.* but the factory declares int from 4 to 8"):
        declare(HyperParameters(space=other))


def test_describing_finds_the_changed_space_and_leaves_out_what_it_excludes() -> None:
    found = discover(lambda hp: declare(hp) and None, given=WIDE)
    assert found.parameters[:2] == WIDE.parameters
    assert not found.parameters[2].active({"units": 6, "kind": "a"})


def test_values_of_a_bundle_are_taken_as_they_are() -> None:
    hp = HyperParameters.exactly({"units": 32, "kind": "c"})
    assert declare(hp) == (32, 1)
    assert hp.anew().Int("units", 4, 8) == 32
