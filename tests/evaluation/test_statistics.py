"""The statistics of `workbench try`: known values, and simulated competitions."""

import math

import numpy as np
import pytest

from workbench.data.folds import TRAIN, UNUSED, VALIDATE, FoldPlan
from workbench.evaluation.statistics import PairedTest, corrected_t_test, judge, size_ratio

RATIO = 0.25


def test_the_corrected_t_test_agrees_with_its_formula_and_with_tables():
    differences = [0.02, 0.01, 0.03, -0.01, 0.02]
    found = corrected_t_test(differences, RATIO)
    assert found.mean == pytest.approx(0.014)
    assert found.se == pytest.approx(math.sqrt(np.var(differences, ddof=1) * (1 / 5 + 1 / 4)))
    spread = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    quantile = 2.776  # of Student's t with 4 degrees of freedom, two-sided 5 %
    at_the_limit = corrected_t_test(spread + quantile * math.sqrt(0.625 / 5), 0.0)
    assert at_the_limit.p == pytest.approx(0.05, abs=1e-4)


def test_degenerate_differences():
    assert corrected_t_test([0.1], RATIO) == PairedTest(0.1, None, None)
    assert corrected_t_test([0.0, 0.0], RATIO) == PairedTest(0.0, 0.0, 1.0)
    assert corrected_t_test([0.5, 0.5], RATIO) == PairedTest(0.5, 0.0, 0.0)


def test_the_ratio_is_that_of_the_plan_by_weight():
    kfold = np.where(np.eye(5, dtype=bool).repeat(4, axis=1), VALIDATE, TRAIN)
    assert size_ratio(FoldPlan(kfold, "kfold"), None) == pytest.approx(1 / 4)
    time = np.array([[TRAIN, TRAIN, VALIDATE, UNUSED], [TRAIN, TRAIN, TRAIN, VALIDATE]])
    assert size_ratio(FoldPlan(time, "time"), None) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert size_ratio(FoldPlan(time, "time"), np.array([1.0, 1.0, 1.0, 3.0])) == pytest.approx((1 / 2 + 1) / 2)


@pytest.mark.parametrize(
    ("direction", "mean", "p", "noise", "verdict"),
    [
        ("maximize", 0.03, 0.01, 0.01, "better"),
        ("minimize", 0.03, 0.01, 0.01, "worse"),
        ("minimize", -0.03, 0.01, 0.0, "better"),
        ("maximize", 0.03, 0.06, 0.0, "noise"),
        ("maximize", 0.03, 0.01, 0.011, "noise"),
        ("maximize", 0.03, None, 0.0, "noise"),
    ],
)
def test_a_verdict_needs_both_the_test_and_the_seeds(direction, mean, p, noise, verdict):
    assert judge(direction, PairedTest(mean, None if p is None else 0.01, p), noise) == verdict


def cross_validated(x, y, repeats, generator):
    """Return the squared error of least squares by split, of 5-fold cross-validation."""
    scores = []
    for order in [generator.permutation(len(y)) for _ in range(repeats)]:
        for validated in np.array_split(order, 5):
            trained = np.setdiff1d(order, validated, assume_unique=True)
            weights, *_ = np.linalg.lstsq(x[trained], y[trained], rcond=None)
            scores.append(float(np.mean((x[validated] @ weights - y[validated]) ** 2)))
    return scores


def verdicts(strength, repeats=1, competitions=400):
    """Judge two models in many competitions: the baseline knows ``a`` of y = a + b, the candidate ``b``.

    With ``strength`` 1 they are equally good, so every verdict but noise is wrong; with more, ``b`` matters more.
    """
    found = []
    for seed in range(competitions):
        generator = np.random.default_rng(seed)
        x = generator.normal(size=(100, 2))
        y = x[:, 0] + strength * x[:, 1] + generator.normal(size=100)
        one, other = (cross_validated(x[:, [i]], y, repeats, np.random.default_rng(seed)) for i in (0, 1))
        found.append(judge("minimize", corrected_t_test(np.subtract(other, one), RATIO), 0.0))
    return found


def test_equals_are_called_different_rarely_and_a_real_difference_is_found():
    null = verdicts(1.0)
    assert sum(verdict != "noise" for verdict in null) / len(null) <= 0.07
    real = verdicts(4.0, competitions=100)
    assert real.count("better") / len(real) >= 0.9


def test_repeats_tell_more_without_more_false_alarms():
    null = verdicts(1.0, repeats=4, competitions=150)
    assert sum(verdict != "noise" for verdict in null) / len(null) <= 0.07
    once, often = (verdicts(1.7, repeats, competitions=100).count("better") for repeats in (1, 4))
    assert often > once
