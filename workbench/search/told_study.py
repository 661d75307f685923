"""What an engine was told, as a study of Optuna's in memory.

The ledger is the only truth, so no Optuna storage is used. The study's trials are in the order of their numbers however
they were told, because Optuna's samplers weigh them by it: a search that was interrupted has the same study as one that
was not. A trial's user attributes hold its number and the state of its suggestion.
"""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from workbench.models.ranges import plain
from workbench.search.distributions import distribution, internal, suggested
from workbench.search.engine import Outcome, Suggestion
from workbench.types import Direction, Scalar, Space, Values

NUMBER = "number"
"""User attribute of a trial: its number in the search, which is not its number in the study."""


class ToldStudy:
    """Trials that are asked for and told, by the search's numbers, under one space."""

    def __init__(self, directions: tuple[Direction, ...], space: Space) -> None:
        """Make an empty study."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(directions=directions)
        self.space = space
        self._last = -math.inf
        self._running: dict[int, optuna.Trial] = {}

    def follows(self, number: int) -> bool:
        """Say whether a trial of this number is in order when it is added last."""
        return number > self._last

    def ask(self, number: int, sampler: BaseSampler) -> Values:
        """Suggest values, parents before children."""
        trial = self._begin(number, sampler)
        values: Values = {}
        for parameter in self.space.parameters:
            if parameter.active(values):
                values[parameter.name] = suggested(parameter, _suggest(trial, parameter.name, distribution(parameter)))
        return values

    def ask_again(self, number: int, suggestion: Suggestion) -> None:
        """Have a trial running that was asked for before."""
        params = _params(suggestion.values, self.space)
        self.study.enqueue_trial({name: value for name, (value, _) in params.items()})
        trial = self._begin(number, RandomSampler(seed=0))
        for name, (_, among) in params.items():
            _suggest(trial, name, among)
        self.keep(number, suggestion.state)

    def holds(self, number: int, suggestion: Suggestion) -> bool:
        """Say whether a running trial has exactly the numbers that it would have if it were added.

        The mirror image of a mirror image may differ by a rounding: enough to lead a Gaussian process elsewhere.
        """
        params = {name: value for name, (value, _) in _params(suggestion.values, self.space).items()}
        return self._running[number].params == params

    def keep(self, number: int, state: dict[str, Any]) -> None:
        """Keep a running trial's state."""
        for key, value in state.items():
            self._running[number].set_user_attr(key, value)

    def tell(self, number: int, outcome: Outcome) -> None:
        """End a running trial."""
        trial = self._running.pop(number)
        values = objectives(outcome, len(self.study.directions))
        if values is not None:
            self.study.tell(trial, list(values))
        elif self._pruned(outcome):
            for step, value in _curve(outcome).items():
                trial.report(value, step)
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, state=TrialState.FAIL)

    def add(self, number: int, outcome: Outcome) -> None:
        """Add a trial that has ended; values that the space no longer has are left out."""
        values, curve, state = objectives(outcome, len(self.study.directions)), {}, TrialState.FAIL
        if values is not None:
            state = TrialState.COMPLETE
        elif self._pruned(outcome):
            state, curve = TrialState.PRUNED, _curve(outcome)
            values = tuple(curve.values()) or None
        self.study.add_trial(_frozen(number, outcome.suggestion, self.space, state, values, curve))
        self._last = number

    def _begin(self, number: int, sampler: BaseSampler) -> optuna.Trial:
        self.study.sampler = sampler
        trial = self._running[number] = self.study.ask()
        trial.set_user_attr(NUMBER, number)
        self._last = number
        return trial

    def _pruned(self, outcome: Outcome) -> bool:
        """Say whether a trial counts as pruned; Optuna prunes no trials of several objectives."""
        return outcome.state == "pruned" and len(self.study.directions) == 1


def objectives(outcome: Outcome, count: int) -> tuple[float, ...] | None:
    """Return what a complete trial reached, one for each direction; ``None`` where there is nothing to compare."""
    known = outcome.state == "complete" and len(outcome.objectives) == count
    return outcome.objectives if known and all(map(math.isfinite, outcome.objectives)) else None


def _curve(outcome: Outcome) -> dict[int, float]:
    """Return a pruned trial's last value by its step; TPE ranks pruned trials by both."""
    known = outcome.last is not None and math.isfinite(outcome.last)
    return {outcome.steps: outcome.last} if known and outcome.last is not None else {}


def _params(values: Values, space: Space) -> dict[str, tuple[Scalar, BaseDistribution]]:
    """Return values as Optuna knows them, beside their distributions in ``space``."""
    params = {}
    for parameter in space.parameters:
        known = internal(parameter, values[parameter.name]) if parameter.name in values else None
        if known is not None:
            params[parameter.name] = known, distribution(parameter)
    return params


def _frozen(
    number: int,
    suggestion: Suggestion,
    space: Space,
    state: TrialState,
    values: tuple[float, ...] | None,
    curve: dict[int, float],
) -> FrozenTrial:
    params = _params(suggestion.values, space)
    return create_trial(
        state=state,
        values=values,
        params={name: value for name, (value, _) in params.items()},
        distributions={name: among for name, (_, among) in params.items()},
        user_attrs={NUMBER: number, **suggestion.state},
        intermediate_values=curve,
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
