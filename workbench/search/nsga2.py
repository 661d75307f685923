"""NSGA-II (Deb et al., 2002) whose generations are a function of what was told, so that it can be interrupted.

Optuna's keeps them in its storage, as they were when a generation began. Here a trial's generation comes back with its
outcome, and the parents of each are chosen from what is known of the one before.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from optuna import Study
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

from workbench.search.told_study import NUMBER

POPULATION = 20
"""Trials of a generation. Optuna's default is 50, before which all is random: more than many searches have in all."""

GENERATION = "nsga2"
"""User attribute of a trial: its generation. What nobody asked for belongs to the first one."""

Parents = dict[int, tuple[tuple[int, ...], list[FrozenTrial]]]
"""By generation: of which trials they were chosen, and the chosen ones."""


class Nsga2Sampler(NSGAIISampler):
    """Optuna's sampler for one ask; ``known`` carries parents from ask to ask, and is only a cache."""

    def __init__(self, seed: int, known: Parents) -> None:
        """Keep the cache."""
        super().__init__(population_size=POPULATION, seed=seed)
        self.state: dict[str, Any] = {}
        self._known = known
        self._current = 0
        self._found: defaultdict[int, list[FrozenTrial]] | None = None

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:  # noqa: ARG002 - Optuna's signature
        """Return the newest generation, or the next one if it is full."""
        generations = self._generations(study)
        newest = max(generations, default=0)
        generation = newest + (len(generations[newest]) >= POPULATION)
        self.state = {GENERATION: generation}
        return generation

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return a generation's complete trials."""
        return self._generations(study)[generation]

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return a generation's parents; they are chosen anew from where a late trial has changed a generation."""
        while self._current < generation:
            following = self._current + 1
            candidates = tuple(trial.user_attrs[NUMBER] for trial in self.get_population(study, self._current))
            if self._known.get(following, ((), []))[0] != candidates:
                for stale in [known for known in self._known if known >= following]:
                    del self._known[stale]
                self._known[following] = candidates, self.select_parent(study, following)
            self._current = following
        return self._known[generation][1] if generation else []

    def _generations(self, study: Study) -> defaultdict[int, list[FrozenTrial]]:
        if self._found is None:
            found: defaultdict[int, list[FrozenTrial]] = defaultdict(list)
            for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
                found[trial.user_attrs.get(GENERATION, 0)].append(trial)
            self._found = found
        return self._found
