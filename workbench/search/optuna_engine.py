"""Optuna's samplers behind the engine contract: tpe, gp, cmaes and nsga2.

Every ``ask`` gets a sampler of its own, seeded by the experiment's seed and the trial's number. What a sampler has to
remember travels in `Suggestion.state` and comes back with the outcome; nothing is pickled.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from workbench.errors import ConfigError
from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.told_study import ToldStudy
from workbench.seeds import derive_seed
from workbench.types import Space


class OptunaEngine:
    """Suggests with one of Optuna's samplers; running trials count, so that parallel suggestions differ.

    ``tpe``: tree-structured Parzen estimator (Bergstra et al., 2011), multivariate (Falkner et al., 2018, "BOHB"), with
    groups for conditional spaces; ``constant_liar`` counts running trials as bad ones (Ginsbourger et al., 2010).
    ``gp``: a Gaussian process. ``cmaes``: `workbench.search.cma`. ``nsga2``: `workbench.search.nsga2`.
    ``auto`` is tpe, and nsga2 for several objectives.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Begin without trials.

        Raises:
            ConfigError: the sampler needs PyTorch, which is not installed.
        """
        several = len(options.directions) > 1
        self._options = options
        self._name = ("nsga2" if several else "tpe") if options.sampler == "auto" else options.sampler
        if self._name == "gp" and importlib.util.find_spec("torch") is None:
            raise ConfigError(
                "sampler 'gp' needs PyTorch: pip install 'workbench[gp]' (the CPU version does), or take the sampler "
                "tpe, which needs nothing more"
            )
        self._told: dict[int, Outcome] = {}
        self._running: dict[int, Suggestion] = {}
        self._study: ToldStudy | None = None
        self._known: dict[Any, Any] = {}

    def ask(self, number: int, space: Space) -> Suggestion:
        """Suggest values, parents before children."""
        study = self._study
        if study is None or study.space != space or not study.follows(number):
            study = self._study = self._rebuilt(space)
        sampler = self._sampler(number, space)
        values = study.ask(number, sampler)
        state: dict[str, Any] = getattr(sampler, "state", {})
        study.keep(number, state)
        self._running[number] = Suggestion(values, state=state)
        return self._running[number]

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:  # noqa: ARG002 - the contract's signature
        """Take note of a trial; one without a score that can be compared counts as failed."""
        asked, again = self._running.pop(number, None), number in self._told
        self._told[number] = outcome
        study = self._study
        if study is None:
            return
        if asked == outcome.suggestion and study.holds(number, asked):
            study.tell(number, outcome)
        elif asked is None and not again and study.follows(number):
            study.add(number, outcome)
        else:
            # Out of order, or other than was known: the next ask begins with all trials in order again.
            self._study = None

    def _rebuilt(self, space: Space) -> ToldStudy:
        study = ToldStudy(self._options.directions, space)
        self._known = {}
        for number in sorted({*self._told, *self._running}):
            if number in self._told:
                study.add(number, self._told[number])
            else:
                study.ask_again(number, self._running[number])
        return study

    def _sampler(self, number: int, space: Space) -> BaseSampler:
        seed, startup = derive_seed(self._options.seed, number, "sampler"), self._options.startup
        if self._name == "nsga2":
            from workbench.search.nsga2 import Nsga2Sampler

            return Nsga2Sampler(seed, self._known)
        if self._name == "cmaes":
            from workbench.search.cma import CmaSampler

            return CmaSampler(self._options.seed, number, space, _tpe(seed, startup), self._known)
        if self._name == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        return _tpe(seed, startup)


def _tpe(seed: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        # ``group`` has been "experimental" for years; conditional spaces need it.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True
        )
