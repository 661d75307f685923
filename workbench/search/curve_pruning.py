"""Curves of one split (or of the mean over splits) of many trials, judged by one of Optuna's pruners.

Optuna's pruners look at a study: its trials, its direction, and, for the brackets of Hyperband, its name and the
trial's number. A study of Optuna's counts its trials itself; here a trial has the number that the search gave it, so
that it falls into the same bracket whatever else is restored or missing. Reporting through `optuna.Trial` copies the
whole curve each time; this storage changes its trials in place.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Container
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from workbench.types import Direction

STUDY = "workbench"
"""Every split's study has this name: a trial is in the same bracket in each."""
KEPT = 200
"""Of the trials that have ended the last so many are compared with, by number, and the first complete one."""


class CurveStudy:
    """An Optuna study whose trials are curves under numbers of our own."""

    def __init__(self, direction: Direction, pruner: BasePruner, *, remembers: bool) -> None:
        """Make it empty. ``remembers``: see `workbench.search.optuna_pruners.remembers`."""
        self._storage = _Curves()
        self._study = optuna.create_study(storage=self._storage, study_name=STUDY, direction=direction)
        self._pruner, self._remembers = pruner, remembers
        self._ended: list[int] = []
        self._first_complete: int | None = None
        self._unjudged: set[int] = set()

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Add a point to the trial's curve and return whether Optuna would prune it there."""
        self._catch_up()
        return self._pruner.prune(self._study, self._add(number, epoch, value))

    def restore(self, number: int, epoch: int, value: float) -> None:
        """Add a point of a trial that ended in an earlier run."""
        self._add(number, epoch, value)
        if self._remembers:
            self._unjudged.add(number)

    def end(self, number: int, best: float, *, complete: bool) -> None:
        """End the trial's curve: a complete one is what others are compared with."""
        trial = self._storage.curves.get(number)
        if trial is None or trial.state.is_finished():
            return
        trial.state, trial.value = TrialState.COMPLETE if complete else TrialState.PRUNED, best
        if complete and self._first_complete is None:
            self._first_complete = number
        heapq.heappush(self._ended, number)
        if len(self._ended) > KEPT:
            oldest = heapq.heappop(self._ended)
            # Optuna estimates from the first complete one how long a training is, where it is not told.
            if oldest != self._first_complete:
                self._storage.curves.pop(oldest, None)
                self._unjudged.discard(oldest)

    def forget(self, number: int) -> None:
        """Drop the trial's curve."""
        if self._storage.curves.pop(number, None) is not None and number in self._ended:
            self._ended.remove(number)
            heapq.heapify(self._ended)
        self._unjudged.discard(number)
        if number == self._first_complete:
            self._first_complete = None

    def _add(self, number: int, epoch: int, value: float) -> FrozenTrial:
        trial = self._storage.curves.get(number)
        if trial is None:
            trial = self._storage.curves[number] = _empty(number)
        trial.intermediate_values[epoch] = value
        return trial

    def _catch_up(self) -> None:
        """Judge the restored curves that are kept point by point, as was done when they were reported."""
        if not self._unjudged:
            return
        trials = [self._storage.curves[number] for number in sorted(self._unjudged)]
        self._unjudged.clear()
        known = [(trial, trial.intermediate_values, trial.state) for trial in trials]
        for trial in trials:
            trial.intermediate_values, trial.state = {}, TrialState.RUNNING
        for trial, curve, state in known:
            for epoch, value in curve.items():
                trial.intermediate_values[epoch] = value
                self._pruner.prune(self._study, trial)
            trial.state = state


def _empty(number: int) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


class _Curves(InMemoryStorage):
    """What pruners ask of a storage, for one study whose trials are numbered by others."""

    def __init__(self) -> None:
        super().__init__()
        self.curves: dict[int, FrozenTrial] = {}

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002 - there is one
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials in these states."""
        trials = list(self.curves.values())
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write down what a pruner wants to know later."""
        self.curves[trial_id].system_attrs[key] = value
