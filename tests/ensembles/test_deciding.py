"""Decisions are the best there are on their rows, do what they say, and are kept only where they help."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics as sk

from workbench.blending.decision import ClassFactors, Clip, CutPoints, Threshold, expected_position
from workbench.ensembles.averages import Mean
from workbench.ensembles.choice import Trained, train
from workbench.ensembles.deciding import fit_decision
from workbench.ensembles.factor_steps import LabelSteps, RankSteps
from workbench.ensembles.members import Candidate, Members
from workbench.ensembles.pipeline import Pipeline
from workbench.metrics import (
    ACCURACY,
    AUC,
    BALANCED_ACCURACY,
    F1,
    F1_MACRO,
    LOG_LOSS,
    MCC,
    QWK,
    RMSE,
    Array,
    Metric,
    labels,
    map_at,
)

REFERENCE: dict[str, Callable[..., float]] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": sk.f1_score,
    "f1_macro": lambda *a, **k: sk.f1_score(*a, average="macro", **k),
    "mcc": sk.matthews_corrcoef,
    "qwk": lambda *a, **k: sk.cohen_kappa_score(*a, weights="quadratic", **k),
}


def members_of(
    prediction: Array, y: Array, metric: Metric, weight: Array | None = None, *, splits: int = 1, classes: bool = True
) -> Members:
    rows = np.arange(len(y))
    only = Candidate("mlp", 0, "key", "plan", 0.5, 0.1)
    return Members((only,), prediction[None], y, weight, rows * splits // len(y), rows, metric, "plan", classes)


def trained(members: Members) -> Trained:
    return train("mean", Pipeline(method=Mean(), decide=fit_decision), members)


@given(
    st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, 0.5, 5e-324, np.nextafter(1.0, 0.0), -5e-324]),
    st.lists(st.floats(0.0, 1.0), max_size=20),
)
def test_a_threshold_is_where_it_is_and_keeps_the_order(at: float, given_p: list[float]) -> None:
    near = np.array([*given_p, at, np.nextafter(at, 2.0), np.nextafter(at, -1.0), 0.0, 0.5, 1.0]).clip(0.0, 1.0)
    p = np.sort(near)[:, None]
    bent = Threshold(at=at).apply(p)
    np.testing.assert_array_equal(labels(bent), p[:, 0] > at)
    assert (np.diff(bent[:, 0]) >= 0.0).all()
    assert 0.0 <= bent.min() <= bent.max() <= 1.0


@given(st.lists(st.sampled_from([0.0, 1e-300, 0.1, 0.2, np.nextafter(0.2, 1.0), 0.5, 1.0]), min_size=4, max_size=4))
def test_factors_and_cut_points_decide_what_they_say(p: list[float]) -> None:
    prediction, factors = np.array([p]), np.array([1.0, 3.0, 1 / 3, 1.0])
    decided = ClassFactors(factors=tuple(factors)).apply(prediction)
    assert labels(decided)[0] == (prediction * factors).argmax()
    assert decided.sum() == pytest.approx(1.0)
    cuts = CutPoints(cuts=(0.5, 0.5, 2.0))
    assert labels(cuts.apply(prediction))[0] == (expected_position(prediction)[0] > np.array(cuts.cuts)).sum()


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([ACCURACY, BALANCED_ACCURACY, F1, F1_MACRO, MCC, QWK]),
    st.integers(0, 10_000),
    st.booleans(),
    st.integers(1, 3),
)
def test_no_threshold_is_better(metric: Metric, seed: int, weighted: bool, digits: int) -> None:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, 30)
    p = expit(y - 1.5 + generator.normal(size=30)).round(digits)
    weight = generator.random(30) + 0.1 if weighted else None
    members = members_of(p[:, None], y, metric, weight)
    found = fit_decision(members, p[:, None])
    cuts = [-1.0, *np.unique(p)]
    best = max(REFERENCE[metric.name](y, (p > cut).astype(int), sample_weight=weight) for cut in cuts)
    decided = labels(found.apply(p[:, None])) if found else p > 0.5
    assert REFERENCE[metric.name](y, decided, sample_weight=weight) == pytest.approx(best, nan_ok=True)
    if isinstance(found, Threshold):
        assert np.abs(p - found.at).min() > 1e-4  # in the middle of a gap


def test_a_metric_of_the_users_own_finds_a_threshold_and_factors() -> None:
    generator = np.random.default_rng(0)
    own = Metric("cost", lambda y, c, _: float(np.mean((y > c) * 5 + (y < c))), "minimize", "labels")
    y = (generator.random(600) < 0.4).astype(int)
    p = expit(2 * y - 1.4 + generator.normal(size=600))[:, None]
    found = fit_decision(members_of(p, y, own, splits=3), p)
    assert isinstance(found, Threshold)
    assert 0.1 < found.at < 0.35
    y = generator.integers(0, 3, 600)
    p = softmax(np.eye(3)[y] * 2 + np.array([2.0, 0.0, 0.0]) + generator.normal(size=(600, 3)), axis=1)
    members = members_of(p, y, Metric("hits", lambda y, c, _: float(np.mean(y == c)), "maximize", "labels"), splits=3)
    found = fit_decision(members, p)
    assert isinstance(found, ClassFactors)
    assert members.score(found.apply(p)) > members.score(p) + 0.05


@pytest.mark.parametrize("metric", [ACCURACY, BALANCED_ACCURACY, F1_MACRO, MCC, map_at("2")])
@pytest.mark.parametrize("weighted", [False, True])
def test_factors_of_three_classes_are_as_good_as_a_fine_grid(metric: Metric, weighted: bool) -> None:
    generator = np.random.default_rng(3)
    y = generator.choice(3, 60, p=[0.6, 0.3, 0.1])
    p = softmax(1.2 * np.eye(3)[y] + np.array([1.0, 0.0, -1.0]) + generator.normal(size=(60, 3)), axis=1)
    weight = generator.random(60) + 0.1 if weighted else None
    members = members_of(p, y, metric, weight)
    found = fit_decision(members, p)
    assert isinstance(found, ClassFactors)
    grid = np.exp(np.linspace(-3, 3, 40))
    best = max(metric(y, p * np.array([1.0, left, right]), weight) for left, right in product(grid, grid))
    assert metric(y, found.apply(p), weight) >= best - 0.03  # one coordinate at a time may stop short of the best


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize("metric", [F1_MACRO, map_at("2")])
def test_the_score_along_one_factor_is_the_metrics_own(metric: Metric, code: int) -> None:
    generator = np.random.default_rng(code)
    y, p = generator.integers(0, 3, 50), generator.dirichlet(np.ones(3), 50)
    members = members_of(p, y, metric, generator.random(50))
    factors = np.array([1.0, 2.0, 0.5])
    along = LabelSteps(members, p) if metric is F1_MACRO else RankSteps(members, p, 2)
    lows, highs, scores = along(code, factors)
    for low, high, score in zip(lows, highs, scores, strict=True):
        factors[code] = np.sqrt(low * high)
        assert score == pytest.approx(metric(y, p * factors, members.mass), abs=1e-12)


def test_cut_points_are_the_best_of_all_for_three_classes() -> None:
    generator = np.random.default_rng(0)
    y = generator.choice(3, 40, p=[0.5, 0.3, 0.2])
    p = softmax(np.eye(3)[y] + generator.normal(size=(40, 3)), axis=1)
    weight = generator.random(40) + 0.1
    members = members_of(p, y, QWK, weight)
    found = fit_decision(members, p)
    assert isinstance(found, CutPoints)
    position = expected_position(p)
    places = combinations(np.sort(position), 2)
    best = max(QWK.function(y, np.searchsorted(cuts, position), weight) for cuts in places)
    reached = sk.cohen_kappa_score(y, labels(found.apply(p)), weights="quadratic", sample_weight=weight)
    assert reached == pytest.approx(best)


def positives(seed: int, signal: float, rows: int = 2000) -> tuple[Array, Array]:
    """Probabilities and classes, of which 10 % are positive."""
    generator = np.random.default_rng(seed)
    y = (generator.random(rows) < 0.1).astype(int)
    return expit(signal * y - 3.0 + generator.normal(size=rows))[:, None], y


def ordered(seed: int, rows: int = 2000) -> tuple[Array, Array]:
    """Probabilities of five classes in an order, and the classes."""
    generator = np.random.default_rng(seed)
    hidden = generator.normal(size=rows)
    y = np.searchsorted([-1.3, -0.6, 0.6, 1.3], hidden + 0.8 * generator.normal(size=rows))
    return softmax(-((hidden[:, None] * 1.2 + 2 - np.arange(5)) ** 2) + np.array([0, 0, 1.0, 0, 0]), axis=1), y


def test_decisions_that_help_are_kept_and_help_on_new_rows() -> None:
    for (p, y), (new, truth), metric in [
        (positives(0, 1.5), positives(1, 1.5), F1),
        (ordered(0), ordered(1), QWK),
    ]:
        result = trained(members_of(p, y, metric, splits=5))
        plain = metric(y, p)
        assert result.fitted.blend.decision is not None
        gained = metric(truth, result.fitted.blend.predict(new[None])) - metric(truth, new)
        assert result.nested.score - plain > 0.02
        assert gained > 0.02


@pytest.mark.parametrize("metric", [ACCURACY, MCC])
def test_noise_has_no_decision(metric: Metric) -> None:
    """Where probabilities are right, or say nothing, a threshold follows noise: the nested score speaks against it."""
    kept = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        p = generator.random((300, 1)) if metric is ACCURACY else np.full((300, 1), 0.4)
        p = p + 1e-3 * generator.random((300, 1))
        y = (generator.random(300) < p[:, 0]).astype(int)
        result = trained(members_of(p.clip(0, 1), y, metric, splits=5))
        assert result.fitted.blend.decision is None or result.nested.score > metric(y, p)
        kept += result.fitted.blend.decision is not None
    assert kept <= 2


def test_a_range_is_kept_unless_it_does_harm() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=100)
    found = trained(members_of(2 * y[:, None], y, RMSE, splits=5, classes=False))
    assert found.fitted.blend.decision == Clip(low=y.min(), high=y.max())
    assert found.in_sample < RMSE(y, 2 * y[:, None])
    growing = np.arange(100.0)
    found = trained(members_of(growing[:, None] + 0.1, growing, RMSE, splits=5, classes=False))
    assert found.fitted.blend.decision is None
    assert found.nested.score == pytest.approx(0.1)


@pytest.mark.parametrize("metric", [ACCURACY, BALANCED_ACCURACY, F1, F1_MACRO, MCC, QWK, map_at("2")])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("constant", ["y", "p", "both"])
def test_constants_are_no_trouble(metric: Metric, outputs: int, constant: str) -> None:
    generator = np.random.default_rng(0)
    y = np.zeros(30, dtype=int) if constant != "p" else generator.integers(0, outputs + (outputs == 1), 30)
    p = generator.dirichlet(np.ones(3), 30)[:, :outputs]
    p = np.full((30, outputs), 1.0 / max(2, outputs)) if constant != "y" else p
    decision = fit_decision(members_of(p, y, metric, splits=3), p)
    if decision is not None:
        assert np.isfinite(decision.apply(p)).all()


def test_only_metrics_of_labels_ranks_and_values_are_decided_for() -> None:
    p, y = positives(0, 1.0, rows=50)
    assert fit_decision(members_of(p, y, AUC), p) is None
    assert fit_decision(members_of(p, y, LOG_LOSS), p) is None
    everything = members_of(np.zeros((4, 1)), np.array([1, 1, 1, 0]), ACCURACY)
    found = fit_decision(everything, np.zeros((4, 1)))
    assert isinstance(found, Threshold)
    assert labels(found.apply(np.zeros((1, 1))))[0] == 1
