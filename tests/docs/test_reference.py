"""Tables of the reference say what the registry and the objects themselves say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench import registry
from workbench.config.models import DEFAULT_FAMILIES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
_ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$", re.MULTILINE)


def rows(page):
    """Return a page's table: name → the other cells."""
    found = _ROW.findall((REFERENCE / page).read_text(encoding="utf-8"))
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in found}


def test_metrics_are_those_of_the_registry():
    table = rows("metrics.md")
    assert set(table) == set(registry.BUILT_INS["metrics"])
    for name, (better, takes, _) in table.items():
        metric = registry.resolve("metrics", name.replace("<K>", "3").replace("<Q>", "0.9"))
        assert (name, better, takes) == (name, {"maximize": "more", "minimize": "less"}[metric.direction], metric.needs)


def test_families_are_those_of_the_registry():
    table = rows("families.md")
    assert set(table) == set(registry.BUILT_INS["families"])
    assert tuple(table)[: len(DEFAULT_FAMILIES)] == DEFAULT_FAMILIES


@pytest.mark.parametrize("name", registry.BUILT_INS["families"])
def test_a_family_is_as_its_row_says(name):
    _, preparation, keras = rows("families.md")[name]
    family = registry.resolve("families", name)
    assert (preparation, keras) == (f"`{family.preparation}`", "yes" if family.neural else "no")


def test_preparations_are_those_of_the_registry():
    assert set(rows("preparations.md")) == set(registry.BUILT_INS["preparations"])


def test_ensemble_methods_are_those_of_the_registry():
    assert set(rows("ensembles.md")) == {"auto", *registry.BUILT_INS["ensembles"]}
