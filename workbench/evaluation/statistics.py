"""Whether two configurations differ by more than chance: statistics of paired differences by split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.data.folds import FoldPlan
from workbench.types import Direction, Verdict, better

SIGNIFICANT = 0.05
"""A difference whose p value is not below this is noise."""

SEED_BOUND = 2.0 * math.sqrt(2.0)
"""A difference must be larger than so many standard deviations of a score over seeds.

Two trainings of one configuration under different seeds differ with sqrt(2) standard deviations; twice that is exceeded
by chance about once in twenty.
"""


@dataclass(frozen=True)
class PairedTest:
    """The corrected resampled t-test of J differences. ``se`` and ``p`` are ``None`` where J is 1."""

    mean: float
    se: float | None
    p: float | None


def corrected_t_test(differences: Sequence[float], ratio: float) -> PairedTest:
    """Test whether the mean of differences by split is 0.

    The training sets of splits overlap, so the differences are correlated, and the usual standard error is too small:
    their variance is multiplied by ``1/J + n_test/n_train`` instead of ``1/J`` (Nadeau and Bengio, 2003, "Inference for
    the generalization error"; for repeated cross-validation Bouckaert and Frank, 2004). J - 1 degrees of freedom.

    Args:
        differences: one for each of the J splits, repeats included.
        ratio: ``n_test/n_train``, see `size_ratio`.
    """
    from scipy.special import stdtr

    found = np.asarray(differences, dtype=np.float64)
    mean, splits = float(found.mean()), len(found)
    if splits < 2:
        return PairedTest(mean, None, None)
    se = math.sqrt(float(found.var(ddof=1)) * (1.0 / splits + ratio))
    if se == 0.0:
        return PairedTest(mean, 0.0, 1.0 if mean == 0.0 else 0.0)
    return PairedTest(mean, se, 2.0 * float(stdtr(splits - 1, -abs(mean) / se)))


def size_ratio(plan: FoldPlan, weight: NDArray[np.float64] | None) -> float:
    """Return a plan's ``n_test/n_train``: the mean over splits, by row weights ``(rows,)`` where rows have weights.

    In k-fold it is 1/(k-1). Plans over time train on more rows in later splits; their mean stands for all.
    """
    mass = np.ones(plan.rows) if weight is None else np.asarray(weight, dtype=np.float64)
    parts = [(mass[plan.validate(split)].sum(), mass[plan.train(split)].sum()) for split in range(plan.splits)]
    return float(np.mean([validated / trained for validated, trained in parts]))


def judge(direction: Direction, test: PairedTest, seed_noise: float) -> Verdict:
    """Return whether a difference (candidate - baseline) is more than chance and more than what seeds change."""
    if test.p is None or test.p >= SIGNIFICANT or abs(test.mean) <= SEED_BOUND * seed_noise:
        return "noise"
    return "better" if better(direction, test.mean, 0.0) else "worse"
