"""A pruner that sees folds.

Splits one after another: within a split its curve is judged by Optuna's pruner against the same split's curves of the
other trials; steps are epochs, from 1. When a split has ended, its value is the best that was watched; over the splits
that have ended the trial is compared with one of the best complete trials, pair by pair, and stopped if it is worse in
the mean and a one-sided test says so. That is the third best, unless the option ``keep`` says another: a blend wants
several. Splits at once: the mean over splits is one curve. ``threshold`` judges curves only, ``wilcoxon`` ended splits
only, so it never ends a trial whose splits train at once.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import optuna

from workbench.search.curve_pruning import CurveStudy
from workbench.search.optuna_pruners import checked_keep, optuna_pruner, remembers, try_pruner
from workbench.search.pruning import KEEP, Ended, PrunerOptions
from workbench.search.split_pruning import Comparison, paired_t_test, wilcoxon_test
from workbench.types import Direction, as_loss, better

MEAN = -1
"""In place of a split: the mean over splits that train at once."""


@dataclass
class _Trial:
    """What a trial has reported so far."""

    split: int | None = None
    """The one that it is at."""
    best: dict[int, float] = field(default_factory=dict)
    """The best finite value of each split."""
    waiting: dict[int, dict[int, float]] = field(default_factory=dict)
    """Values by split of each epoch that not all splits have reported."""
    last: dict[int, float] = field(default_factory=dict)
    """The last value of each split that trains together with others."""

    def take(self, direction: Direction, split: int, value: float) -> None:
        """Take note of a finite value."""
        self.split = split
        if split not in self.best or better(direction, value, self.best[split]):
            self.best[split] = value

    def mean(self, split: int, epoch: int, value: float, together: int) -> float | None:
        """Return the mean of the epoch, or ``None`` while splits are missing; those that stopped keep their last."""
        values = self.waiting.setdefault(epoch, {})
        values[split] = value
        if len(values) < together:
            return None
        self.last |= self.waiting.pop(epoch)
        return statistics.fmean(self.last.values())


class FoldPruner:
    """Judges by Optuna's pruners within splits, and by paired tests between them."""

    def __init__(self, options: PrunerOptions) -> None:
        """Make it without trials.

        Raises:
            ConfigError: an option is unknown, missing or has no valid value.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        own = dict(options.options)
        self._keep = checked_keep(own.pop("keep", KEEP))
        self._options = replace(options, options=own)
        try_pruner(options.name, own)
        self._judges_curves = options.name != "wilcoxon"
        self._compare: Comparison | None = paired_t_test(options.direction)
        if options.name == "wilcoxon":
            self._compare = wilcoxon_test(options.direction, optuna_pruner(options.name, own))
        elif options.name == "threshold":
            self._compare = None
        self._studies: dict[int, CurveStudy] = {}
        self._running: dict[int, _Trial] = {}
        self._best: list[dict[int, float]] = []
        """Of the best complete trials, the best first: the best value of each split."""

    def report(self, number: int, split: int, epoch: int, value: float, together: int = 1) -> str:
        """Take a value; say whether the split's curve or the splits before it are reason to stop."""
        fused = together > 1 or bool(number in self._running and self._running[number].last)
        taken = self._take(number, split, epoch, value, together, fused=fused)
        if taken is None:
            return ""
        at, value, worse = taken
        if self._judges_curves and self._study(at).report(number, epoch, value):
            return f"{value:.5g} is behind the others ({self._options.name})"
        return f"worse than the {_ordinal(self._keep)} trial in the splits before" if worse else ""

    def restore(
        self, number: int, reports: Iterable[tuple[int, int, float]], state: Ended, *, fused: bool = False
    ) -> None:
        """Take a trial that has ended; it costs microseconds a report."""
        points = sorted(reports, key=lambda point: point[1]) if fused else reports
        for split, epoch, value, together in _counted(points, fused=fused):
            taken = self._take(number, split, epoch, value, together, fused=fused, judging=False)
            if taken is not None and self._judges_curves:
                self._study(taken[0]).restore(number, epoch, taken[1])
        self.end(number, state)

    def end(self, number: int, state: Ended) -> None:
        """Take note of a trial's end; a failed one is forgotten."""
        if state == "failed":
            self.forget(number)
            return
        trial = self._running.pop(number, None)
        if trial is None or trial.split is None:
            return
        self._end_split(number, trial, complete=state == "complete")
        if state == "complete":
            self._best = sorted([*self._best, trial.best], key=self._rank)[: self._keep]

    def forget(self, number: int) -> None:
        """Drop the trial."""
        self._running.pop(number, None)
        for study in self._studies.values():
            study.forget(number)

    def _take(
        self, number: int, split: int, epoch: int, value: float, together: int, *, fused: bool, judging: bool = True
    ) -> tuple[int, float, bool] | None:
        """Return where a finite value belongs, the value, and whether the ended splits are worse; or ``None``."""
        trial = self._running.setdefault(number, _Trial())
        if fused:
            mean = trial.mean(split, epoch, value, together)
            if mean is None:
                return None
            split, value = MEAN, mean
        if not math.isfinite(value):
            return None
        worse = False
        if trial.split not in (None, split):
            self._end_split(number, trial, complete=True)
            worse = judging and self._worse(trial)
        trial.take(self._options.direction, split, value)
        return split, value, worse

    def _end_split(self, number: int, trial: _Trial, *, complete: bool) -> None:
        if trial.split in self._studies:
            self._studies[trial.split].end(number, trial.best[trial.split], complete=complete)

    def _worse(self, trial: _Trial) -> bool:
        if self._compare is None or len(self._best) < self._keep:
            return False
        rival = self._best[-1]
        shared = trial.best.keys() & rival.keys()
        if len(shared) < 2:
            return False
        candidate, best = ({split: of[split] for split in sorted(shared)} for of in (trial.best, rival))
        return self._compare(candidate, best)

    def _rank(self, values: dict[int, float]) -> tuple[int, float]:
        """Order complete trials: those with the most splits first, then by their mean."""
        return -len(values), as_loss(self._options.direction, statistics.fmean(values.values()))

    def _study(self, split: int) -> CurveStudy:
        if split not in self._studies:
            name, options = self._options.name, self._options.options
            pruner = optuna_pruner(name, options)
            self._studies[split] = CurveStudy(self._options.direction, pruner, remembers=remembers(name, options))
        return self._studies[split]


def _counted(points: Iterable[tuple[int, int, float]], *, fused: bool) -> Iterator[tuple[int, int, float, int]]:
    """Yield points, of splits that trained at once by rising epochs, with how many splits reported the epoch."""
    for _, group in itertools.groupby(points, key=lambda point: point[1]):
        same = list(group)
        yield from ((*point, len(same) if fused else 1) for point in same)


def _ordinal(place: int) -> str:
    return {1: "best", 2: "second best", 3: "third best"}.get(place, f"{place}th best")
