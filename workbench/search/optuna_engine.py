"""Optuna behind the engine contract: a study in memory, rebuilt from what is told.

The ledger is the only truth, so no Optuna storage is used. Every ``ask`` gets a sampler of its own, seeded by the
experiment's seed and the trial's number.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from workbench.models.ranges import plain
from workbench.search.distributions import distribution, internal, suggested
from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.seeds import derive_seed
from workbench.types import Scalar, Space, Values

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class OptunaEngine:
    """Tree-structured Parzen estimator (Bergstra et al., 2011), multivariate, with groups for conditional spaces.

    Multivariate TPE models parameters together (Falkner et al., 2018, "BOHB"); ``constant_liar`` counts running trials
    as bad ones, so that parallel suggestions differ (Ginsbourger et al., 2010).
    """

    def __init__(self, options: EngineOptions) -> None:
        """Make an empty study."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._options = options
        self._study = optuna.create_study(direction=options.direction)
        self._asked: dict[int, optuna.Trial] = {}

    def ask(self, number: int, space: Space) -> Suggestion:
        """Suggest values, parents before children."""
        self._study.sampler = self._sampler(number)
        trial = self._study.ask()
        values: Values = {}
        for parameter in space.parameters:
            if parameter.active(values):
                values[parameter.name] = suggested(parameter, _suggest(trial, parameter.name, distribution(parameter)))
        self._asked[number] = trial
        return Suggestion(values)

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Add the trial to the study; one that has no score counts as failed, and is not modelled."""
        trial, score = self._asked.pop(number, None), outcome.objectives[0] if outcome.objectives else None
        if trial is None:
            self._study.add_trial(_frozen(outcome.suggestion.values, score, space))
        elif score is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, score)

    def _sampler(self, number: int) -> BaseSampler:
        with warnings.catch_warnings():
            # ``group`` has been "experimental" for years; conditional spaces need it.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                seed=derive_seed(self._options.seed, number, "sampler"),
                n_startup_trials=self._options.startup,
                multivariate=True,
                group=True,
                constant_liar=True,
            )


def _suggest(trial: optuna.Trial, name: str, among: BaseDistribution) -> Scalar:
    """Ask the trial through Optuna's public methods, which take a distribution apart."""
    if isinstance(among, IntDistribution):
        return trial.suggest_int(name, among.low, among.high, step=among.step, log=among.log)
    if isinstance(among, FloatDistribution):
        return trial.suggest_float(name, among.low, among.high, step=among.step, log=among.log)
    if isinstance(among, CategoricalDistribution):
        choice: Any = trial.suggest_categorical(name, among.choices)
        return plain(name, choice)
    raise TypeError(f"parameter '{name}': unknown distribution {among!r}")


def _frozen(values: Values, score: float | None, space: Space) -> FrozenTrial:
    """Return a finished trial; values that the space no longer has are left out."""
    params: dict[str, Any] = {}
    for parameter in space.parameters:
        if parameter.name in values:
            known = internal(parameter, values[parameter.name])
            if known is not None:
                params[parameter.name] = known
    distributions = {p.name: distribution(p) for p in space.parameters if p.name in params}
    state = TrialState.FAIL if score is None else TrialState.COMPLETE
    return create_trial(state=state, value=score, params=params, distributions=distributions)
