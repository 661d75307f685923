"""CMA-ES with margin (Hamano et al., 2022), rebuilt from what was told.

Optuna's sampler keeps its optimizer pickled in the storage. Here each suggestion's state holds its generation and its
point, so that the generations that were told give the optimizer, whatever was interrupted between them.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from cmaes import CMAwM
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from workbench.models.ranges import count, value_at
from workbench.search.distributions import distribution, internal
from workbench.search.points import continuous, value_at_point
from workbench.search.told_study import NUMBER
from workbench.seeds import derive_seed
from workbench.types import Parameter, Scalar, Space, fingerprint

STATE = "cmaes"
"""User attribute of a trial: its generation, its point in the unit cube, and the key of the space."""

Generations = dict[int, tuple[tuple[tuple[int, float | None], ...], CMAwM]]
"""By generation: the trials of the one before, and the optimizer that was told all of them."""


class CmaSampler(BaseSampler):
    """Samples the numbers that are always active; the others come from ``independent``, as with Optuna's sampler.

    Failed and pruned trials take part, as the worst ones: CMA-ES looks at ranks alone. A generation is full when so
    many of its trials have ended; further ones of it, which ran beside those, are left out. An optimizer that has
    converged is followed by one with twice the population (IPOP; Auger and Hansen, 2005).
    """

    def __init__(self, seed: int, number: int, space: Space, independent: BaseSampler, known: Generations) -> None:
        """Keep the cache ``known``, which spares computing and changes nothing."""
        unconditional = (p for p in space.searched if p.low is not None and not p.conditions)
        self._axes = [parameter for parameter in unconditional if count(parameter) != 1]
        self._key = fingerprint([parameter.model_dump() for parameter in self._axes])
        self._seed, self._number = seed, number
        self._independent, self._known = independent, known
        self.state: dict[str, Any] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the parameters that are sampled together."""
        return {parameter.name: distribution(parameter) for parameter in self._axes}

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002 - Optuna's signature
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Sample a point of the current generation."""
        if not search_space:
            return {}
        generation, optimizer = self._optimizer(study)
        optimizer.reseed_rng(derive_seed(self._seed, self._number, "cmaes"))
        point, raw = optimizer.ask()
        self.state = {STATE: {"generation": generation, "point": raw.tolist(), "space": self._key}}
        values = {p.name: (p, _value(p, float(place))) for p, place in zip(self._axes, point, strict=True)}
        return {name: internal(parameter, value) for name, (parameter, value) in values.items()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Sample a parameter that CMA-ES cannot: a choice, or one that is not always active."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _optimizer(self, study: Study) -> tuple[int, CMAwM]:
        """Return the current generation and its optimizer, told everything before."""
        ended = self._ended(study)
        generation, optimizer = 0, self._begin(0, None)
        while len(ended[generation]) >= optimizer.population_size:
            trials = ended[generation][: optimizer.population_size]
            key = tuple((trial.user_attrs[NUMBER], trial.value) for trial in trials)
            generation += 1
            if self._known.get(generation, ((), None))[0] != key:
                for stale in [known for known in self._known if known >= generation]:
                    del self._known[stale]
                self._known[generation] = key, self._next(generation, optimizer, _ranked(study, trials))
            optimizer = self._known[generation][1]
        return generation, optimizer

    def _ended(self, study: Study) -> Mapping[int, list[FrozenTrial]]:
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        found: defaultdict[int, list[FrozenTrial]] = defaultdict(list)
        for trial in study.get_trials(deepcopy=False, states=states):
            state = trial.user_attrs.get(STATE)
            if state is not None and state["space"] == self._key:
                found[state["generation"]].append(trial)
        return found

    def _next(self, generation: int, optimizer: CMAwM, ranked: list[FrozenTrial]) -> CMAwM:
        following = copy.deepcopy(optimizer)
        points = [np.array(trial.user_attrs[STATE]["point"]) for trial in ranked]
        following.tell([(point, float(rank)) for rank, point in enumerate(points)])
        return self._begin(generation, 2 * optimizer.population_size) if following.should_stop() else following

    def _begin(self, generation: int, population: int | None) -> CMAwM:
        """Return a new optimizer: the first one begins in the middle, later ones anywhere."""
        dimensions = len(self._axes)
        seed = derive_seed(self._seed, generation, "cmaes start")
        mean = np.random.default_rng(seed).random(dimensions) if generation else np.full(dimensions, 0.5)
        return CMAwM(
            mean=mean,
            sigma=1.0 / 6.0,
            bounds=np.tile([0.0, 1.0], (dimensions, 1)),
            steps=np.array([_step(parameter) for parameter in self._axes]),
            n_max_resampling=10 * dimensions,
            seed=seed,
            population_size=population,
        )


def _step(parameter: Parameter) -> float:
    """Return the distance of neighbouring values in the unit interval, 0 where there are none."""
    return 0.0 if continuous(parameter) else 1.0 / ((count(parameter) or 2) - 1)


def _value(parameter: Parameter, point: float) -> Scalar:
    if continuous(parameter):
        return value_at_point(parameter, point)
    return value_at(parameter, round(point * ((count(parameter) or 1) - 1)))


def _ranked(study: Study, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return trials best first: complete ones, then pruned ones by how far they came, then failed ones."""
    sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0

    def loss(trial: FrozenTrial) -> tuple[int, float, float]:
        value = 0.0 if trial.value is None else sign * trial.value
        if trial.state == TrialState.COMPLETE:
            return 0, 0.0, value
        return (
            (1, -max(trial.intermediate_values, default=0), value)
            if trial.state == TrialState.PRUNED
            else (2, 0.0, 0.0)
        )

    return sorted(trials, key=loss)
