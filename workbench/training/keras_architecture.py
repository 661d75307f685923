"""Models that were trained before with other rates: nothing is built, traced or compiled, variables are set."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench import registry
from workbench.models.factory import made
from workbench.models.rates import rates_of
from workbench.training.build import Built
from workbench.training.cache import LruCache
from workbench.training.material import Material

if TYPE_CHECKING:
    from workbench.training.keras_fusing import Grouping
    from workbench.training.keras_state import InitialStates

LOG = logging.getLogger("workbench.fusing")
MOST, BYTES = 8, 2**28
"""How many are kept, and how much they may hold together."""

_told: set[str] = set()


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


_known: LruCache[Architecture] = LruCache(limit=BYTES, size=lambda kept: max(kept.states.size, BYTES / MOST))


def recall(material: Material) -> Architecture | None:
    """Return what is known of the job's model, with the job's rates; ``None`` for one that must be built."""
    rates = _rates(material)
    if not rates or not rates.keys() <= material.job.values.keys():
        return None
    found = _known.find(_key(material))
    return None if found is None else found.changed(material)


def remember(material: Material, architecture: Architecture) -> None:
    """Keep what a trial has left for later ones, unless it is too large or its rates are not where they should be."""
    rates = _rates(material)
    if not rates or not rates.keys() <= material.job.values.keys() or _known.find(_key(material)) is not None:
        return
    if not architecture.grouping.decided:  # nothing was trained: every split was finished before
        return
    if architecture.states.size <= BYTES and _held(material, architecture):
        _known.get(_key(material), lambda: architecture)


def _held(material: Material, architecture: Architecture) -> bool:
    """Say whether a build has its rates in the variables that `workbench.rates` names; tell it once where not."""
    family, values, states = material.job.family, material.job.values, architecture.states
    asked = {name: variable for name, variable in _rates(material).items() if name in architecture.built.hp}
    wrong = [name for name, variable in asked.items() if not states.holds(variable, float(values[name]))]
    if wrong and family.name not in _told:
        _told.add(family.name)
        LOG.warning(
            "%s: @rates says that variables named '%s' have the value of '%s', but the model has none, or others: it "
            "is built for each trial. Correct @rates",
            family.name,
            asked[wrong[0]],
            wrong[0],
        )
    return not wrong


def forget() -> None:
    """Let go of all of them."""
    _known.clear()


def _rates(material: Material) -> dict[str, str]:
    """Return the factory's rates; none of a user's own: a mark that is wrong trains another model than was asked for.

    Whether nothing else depends on a rate can only be seen by building, which is what is saved here. A trace of a
    user's model costs a tenth of a second, and tells.
    """
    family = material.job.family
    if family.root is not None:
        return {}
    return dict(rates_of(made(registry.load(family.factory, family.root))))


def _key(material: Material) -> tuple[str, ...]:
    """Return everything that a model and its training follow from, beside the rates."""
    job, rates = material.job, _rates(material)
    structure = {name: value for name, value in job.values.items() if name not in rates}
    same = job.model_copy(update={"values": {}, "job_id": "", "fit_key": "", "vault": None, "seconds": None})
    data = (material.dataset.key, material.dataset.test_key, material.plan.key)
    return (*data, same.model_dump_json(), json.dumps(structure, sort_keys=True))
