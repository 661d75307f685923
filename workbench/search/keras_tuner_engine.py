"""KerasTuner's oracles behind the engine contract; importing this module imports TensorFlow, many seconds.

An oracle is made for each ``ask``, seeded by the experiment's seed and the trial's number, and told all that is known
by rising number: it has no state of its own, and writes nothing to disk. Only its ``populate_space`` is used, which is
the algorithm; trials are run, tried again and kept by the workbench.
"""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Keras, which comes along, takes the backend that it first meets; workers choose theirs themselves.
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from workbench.errors import ConfigError, nearest
from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.oracle_brackets import oracle_state, suggestion_state
from workbench.search.oracle_space import external_values, internal_values, space_config
from workbench.seeds import derive_seed
from workbench.types import Space, Values, fingerprint, jsonable


@dataclass(frozen=True)
class _Past:
    """A trial as oracles know it, and what was kept with it."""

    trial: Trial
    state: Mapping[str, Any]


class KerasTunerEngine:
    """Searches as KerasTuner does: ``bayesian`` (``auto``), ``random``, ``hyperband`` or ``grid``.

    ``hyperband`` gives promising values more epochs, round by round (Li et al., 2018); where KerasTuner goes on from a
    checkpoint, a trial starts anew here and trains for all of its epochs, which gives the same as training is
    deterministic. It sweeps its brackets again and again: the budget is the experiment's. ``grid`` begins with the
    defaults and takes ten values of each continuous range.

    A failed trial is infeasible: never modelled, nor promoted. So is a pruned one, as its last value is of fewer epochs
    than the scores that it would be compared with; but in a round of Hyperband it takes the last place.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Choose the oracle.

        Raises:
            ConfigError: there is no such sampler, or there is more than one objective.
        """
        if options.others:
            raise ConfigError(
                "search.objectives: KerasTuner has one objective here; use search.engine 'optuna' for several"
            )
        samplers: dict[str, Callable[[int, Space], Suggestion | None]] = {
            "auto": self._bayesian,
            "bayesian": self._bayesian,
            "random": self._random,
            "hyperband": self._hyperband,
            "grid": self._grid,
        }
        if options.sampler not in samplers:
            raise ConfigError(
                f"search.sampler: keras_tuner has no '{options.sampler}'; it has {', '.join(samplers)}."
                f"{nearest(options.sampler, samplers)}"
            )
        self._sample = samplers[options.sampler]
        self._options = options
        self._ended: dict[int, Outcome] = {}
        self._running: dict[int, Suggestion] = {}
        self._space: Space | None = None
        self._parameters = keras_tuner.HyperParameters()
        self._past: dict[int, _Past] = {}

    def ask(self, number: int, space: Space) -> Suggestion | None:
        """Suggest values; ``None`` where the oracle waits for running trials, or has tried everything."""
        if not space.searched:
            return None
        self._understand(space)
        with warnings.catch_warnings():
            # Its Gaussian process says so where it has few points.
            warnings.simplefilter("ignore")
            suggestion = self._sample(number, space)
        if suggestion is not None:
            self._running[number] = suggestion
        return suggestion

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:  # noqa: ARG002 - the contract's signature
        """Take note of a trial; it is looked at when the next one is asked for."""
        self._running.pop(number, None)
        self._past.pop(number, None)
        self._ended[number] = outcome

    def _random(self, number: int, space: Space) -> Suggestion | None:
        return self._asked(RandomSearchOracle(**self._arguments(number)), number, space)

    def _bayesian(self, number: int, space: Space) -> Suggestion | None:
        points = max(1, self._options.startup)
        return self._asked(_Bayesian(**self._arguments(number), num_initial_points=points), number, space)

    def _hyperband(self, number: int, space: Space) -> Suggestion | None:
        most = max(1, self._options.epochs)
        # 0 iterations mean no end of them.
        oracle = HyperbandOracle(**self._arguments(number), max_epochs=most, hyperband_iterations=0)
        asked = [(past.trial.trial_id, past.state) for past in self._history(space)]
        known = oracle_state(asked, oracle._get_num_brackets(), most)
        values = self._populated(oracle, number, space, known)
        if values is None:
            return None
        state = suggestion_state(oracle, str(number), known, most)
        epochs = int(values["tuner/epochs"])
        return Suggestion(external_values(space, values), None if epochs >= most else epochs, state)

    def _grid(self, number: int, space: Space) -> Suggestion | None:
        """Return the place after the last one; places of another space are no places of this grid."""
        grid, history = fingerprint(jsonable(space)), self._history(space)
        oracle = GridSearchOracle(**self._arguments(number))
        tried = {oracle._compute_values_hash(past.trial.hyperparameters.values) for past in history}
        places = {past.state["place"]: past for past in history if past.state.get("grid") == grid}
        place = max(places, default=-1)
        values = places[place].trial.hyperparameters.values if places else None
        while True:
            place, values = place + 1, self._after(values, number, space)
            if values is None:
                return None
            if oracle._compute_values_hash(values) not in tried:
                return Suggestion(external_values(space, values), state={"place": place, "grid": grid})

    def _after(self, values: Values | None, number: int, space: Space) -> Values | None:
        """Return the next place of the grid, as oracles know it; the first one holds the defaults."""
        if values is None:
            return internal_values(space, space.defaults())
        oracle, last = GridSearchOracle(**self._arguments(number)), self._trial(number - 1, values)
        oracle.trials, oracle.start_order = {last.trial_id: last}, [last.trial_id]
        oracle._ordered_ids.insert(last.trial_id)
        oracle._populate_next.append(last.trial_id)
        found: Values | None = oracle.populate_space(str(number))["values"]
        return found

    def _asked(self, oracle: Any, number: int, space: Space) -> Suggestion | None:
        values = self._populated(oracle, number, space, {})
        return None if values is None else Suggestion(external_values(space, values))

    def _populated(self, oracle: Any, number: int, space: Space, state: Mapping[str, Any]) -> Values | None:
        """Tell an oracle all that is known; return the values that it gives to the trial."""
        trials = [past.trial for past in self._history(space)]
        oracle.trials = {trial.trial_id: trial for trial in trials}
        names = [trial.trial_id for trial in trials]
        oracle.set_state(
            {
                **oracle.get_state(),
                "ongoing_trials": {t.trial_id: t.trial_id for t in trials if t.status == TrialStatus.RUNNING},
                "tried_so_far": [oracle._compute_values_hash(trial.hyperparameters.values) for trial in trials],
                "start_order": names,
                **state,
            }
        )
        answer = oracle.populate_space(str(number))
        return answer["values"] if answer["status"] == TrialStatus.RUNNING else None

    def _arguments(self, number: int) -> dict[str, Any]:
        direction = "min" if self._options.direction == "minimize" else "max"
        return {
            "objective": keras_tuner.Objective("score", direction),
            "hyperparameters": self._parameters,
            # An oracle draws its own seed where it is given 0.
            "seed": 1 + derive_seed(self._options.seed, number, "oracle") % (2**31 - 1),
        }

    def _understand(self, space: Space) -> None:
        """Begin to see everything that is known in a space, if it is another one than before."""
        if space != self._space:
            self._space, self._past = space, {}
            self._parameters = keras_tuner.HyperParameters.from_config(space_config(space))

    def _history(self, space: Space) -> list[_Past]:
        """Return what has ended and what runs, by rising number."""
        for number in self._ended.keys() - self._past.keys():
            self._past[number] = self._ended_trial(number, self._ended[number], space)
        running = {
            number: _Past(self._trial(number, internal_values(space, asked.values)), asked.state)
            for number, asked in self._running.items()
        }
        known = {**self._past, **running}
        return [known[number] for number in sorted(known)]

    def _ended_trial(self, number: int, outcome: Outcome, space: Space) -> _Past:
        values = internal_values(space, outcome.suggestion.values)
        trial = self._trial(number, values, TrialStatus.INVALID)
        score = outcome.objectives[0] if outcome.state == "complete" and outcome.objectives else math.nan
        if outcome.state == "pruned" and self._options.sampler == "hyperband":
            score = math.inf if self._options.direction == "minimize" else -math.inf
        if values is not None and not math.isnan(score):
            trial.status, trial.score = TrialStatus.COMPLETED, score
        return _Past(trial, outcome.suggestion.state)

    def _trial(self, number: int, values: Values | None, status: str = TrialStatus.RUNNING) -> Trial:
        parameters = copy.copy(self._parameters)  # the declarations are shared
        parameters.values = dict(values or {})
        return Trial(parameters, trial_id=str(number), status=status)


class _Bayesian(BayesianOptimizationOracle):  # type: ignore[misc]
    """Its own, but for one thing: running trials are guessed by a process that was fitted to those that have ended.

    KerasTuner's process is the one of the trial before, which a new oracle does not have.
    """

    trials: dict[str, Trial]

    def _vectorize_trials(self) -> Any:
        if self.ongoing_trials:
            everything = self.trials
            self.trials = {key: trial for key, trial in everything.items() if trial.status == TrialStatus.COMPLETED}
            self.gpr.fit(*super()._vectorize_trials())
            self.trials = everything
        return super()._vectorize_trials()
