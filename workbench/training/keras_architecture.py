"""Models that were trained before with other rates: nothing is built, traced or compiled, variables are set."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench import registry
from workbench.models.factory import made
from workbench.models.identity import confirm_code
from workbench.models.rates import rates_of
from workbench.training.build import Built
from workbench.training.cache import LruCache
from workbench.training.material import Material

if TYPE_CHECKING:
    from workbench.training.keras_fusing import Grouping
    from workbench.training.keras_state import InitialStates

MOST = 8


@dataclass(frozen=True)
class Architecture:
    """What all trials share that differ in rates only (`workbench.models.rates`)."""

    built: Built
    states: InitialStates
    grouping: Grouping

    def changed(self, material: Material) -> Architecture:
        """Return it with the rates of another job."""
        rates, values = _rates(material), material.job.values
        asked = {name: values[name] for name in rates if name in self.built.hp}
        states = self.states.changed({rates[name]: float(value) for name, value in asked.items()})
        return Architecture(replace(self.built, hp=self.built.hp.changed(asked)), states, self.grouping)


_known: LruCache[Architecture] = LruCache(limit=MOST, size=lambda _: 1)


def recall(material: Material) -> Architecture | None:
    """Return what is known of the job's model, with the job's rates; ``None`` for one that must be built."""
    rates, family = _rates(material), material.job.family
    if not rates or not rates.keys() <= material.job.values.keys():
        return None
    found = _known.find(_key(material))
    if found is None:
        return None
    if family.root is not None:
        confirm_code(f"factory '{family.name}'", family.factory, family.root, family.code)
    return found.changed(material)


def remember(material: Material, architecture: Architecture) -> None:
    """Keep what a trial has left for later ones."""
    if _rates(material).keys() and _rates(material).keys() <= material.job.values.keys():
        _known.get(_key(material), lambda: architecture)


def forget() -> None:
    """Let go of all of them."""
    _known.clear()


def _rates(material: Material) -> dict[str, str]:
    family = material.job.family
    return dict(rates_of(made(registry.load(family.factory, family.root))))


def _key(material: Material) -> tuple[str, ...]:
    """Return everything that a model and its training follow from, beside the rates."""
    job, rates = material.job, _rates(material)
    structure = {name: value for name, value in job.values.items() if name not in rates}
    same = job.model_copy(update={"values": {}, "job_id": "", "fit_key": "", "vault": None, "seconds": None})
    data = (material.dataset.key, material.dataset.test_key, material.plan.key)
    return (*data, same.model_dump_json(), json.dumps(structure, sort_keys=True))
