"""Paired comparisons of two trials over the splits that both have: is the candidate worse, and not by chance?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping

import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState, create_trial

from workbench.types import Direction

Comparison = Callable[[Mapping[int, float], Mapping[int, float]], bool]
"""``(candidate, best)``: finite values by split, the same two or more splits in both; whether to stop the candidate."""

SIGNIFICANCE = 0.05
"""Of the t-test; it needs two splits, and there a difference of 6.3 standard errors."""


def paired_t_test(direction: Direction) -> Comparison:
    """Return a comparison by the one-sided paired t-test (Student, 1908)."""
    sign = 1.0 if direction == "minimize" else -1.0

    def worse(candidate: Mapping[int, float], best: Mapping[int, float]) -> bool:
        losses = [sign * (candidate[split] - best[split]) for split in candidate]
        mean, spread = statistics.fmean(losses), statistics.stdev(losses)
        if mean <= 0.0:
            return False
        if spread == 0.0:
            return True
        from scipy.special import stdtr  # takes a moment to import

        return bool(stdtr(len(losses) - 1, -mean / (spread / math.sqrt(len(losses)))) < SIGNIFICANCE)

    return worse


def wilcoxon_test(direction: Direction, pruner: BasePruner) -> Comparison:
    """Return a comparison by Optuna's pruner for Wilcoxon's signed-rank test; its steps are the splits."""

    def worse(candidate: Mapping[int, float], best: Mapping[int, float]) -> bool:
        study = optuna.create_study(direction=direction)
        study.add_trial(create_trial(value=statistics.fmean(best.values()), intermediate_values=dict(best)))
        return pruner.prune(study, create_trial(state=TrialState.RUNNING, intermediate_values=dict(candidate)))

    return worse
