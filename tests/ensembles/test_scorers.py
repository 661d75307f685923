"""The fast losses are those of the metrics themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.ensembles.scorers import scorer
from workbench.metrics import (
    ACCURACY,
    AUC,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    F1,
    F1_MACRO,
    LOG_LOSS,
    MAE,
    MCC,
    QWK,
    R2,
    RMSE,
    Array,
    Metric,
)

BINARY = (AUC, LOG_LOSS, ACCURACY, F1, MCC, BALANCED_ACCURACY, AVERAGE_PRECISION)
CLASSES = (LOG_LOSS, ACCURACY, F1_MACRO, MCC, BALANCED_ACCURACY, QWK)
VALUES = (RMSE, MAE, R2)
ROWS, SLICES = 60, (slice(0, 17), slice(17, 40), slice(40, 60))


def case(metric: Metric, seed: int, *, outputs: int, digits: int, weighted: bool) -> tuple[Array, Array, Array | None]:
    """Targets, predictions ``(4, rows, outputs)`` with ties, row weights."""
    generator = np.random.default_rng(seed)
    weight = generator.random(ROWS) + 0.1 if weighted else None
    if metric in VALUES:
        y = generator.normal(size=ROWS)
        return y, y[None, :, None] + generator.normal(size=(4, ROWS, 1)), weight
    y = generator.integers(0, max(2, outputs), ROWS)
    y[:40:20], y[1:41:20], y[17], y[18] = 0, 1, 0, 1
    p = generator.random((4, ROWS, outputs)).round(digits)
    return y, p if outputs == 1 else (p + 0.01) / (p + 0.01).sum(axis=2, keepdims=True), weight


def expected(metric: Metric, y: Array, prediction: Array, weight: Array | None) -> float:
    scores = [metric(y[s], prediction[s], None if weight is None else weight[s]) for s in SLICES]
    return metric.loss(float(np.mean(scores)))


kinds = st.one_of(
    st.tuples(st.sampled_from(BINARY), st.just(1)),
    st.tuples(st.sampled_from(CLASSES), st.integers(2, 4)),
    st.tuples(st.sampled_from(VALUES), st.just(1)),
)


@settings(max_examples=80, deadline=None)
@given(kinds, st.integers(0, 10_000), st.integers(1, 15), st.booleans(), st.booleans())
def test_losses_are_those_of_the_metric(
    kind: tuple[Metric, int], seed: int, digits: int, weighted: bool, summing: bool
) -> None:
    metric, outputs = kind
    y, predictions, weight = case(metric, seed, outputs=outputs, digits=digits, weighted=weighted)
    if outputs > 1 and not summing:
        predictions = predictions.astype(np.float32).astype(np.float64)  # rows that sum to 1 but for 1e-7
    steps = np.array([0.0, 0.25, 1.0, -0.5])
    losses = scorer(metric, y, weight, SLICES).losses(predictions[0], predictions, steps)
    for member, prediction in enumerate(predictions):
        for at, step in enumerate(steps):
            mixed = (1.0 - step) * predictions[0] + step * prediction
            assert losses[member, at] == pytest.approx(expected(metric, y, mixed, weight), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("metric", [AUC, QWK])
def test_a_split_that_says_nothing_is_infinite(metric: Metric) -> None:
    y = np.r_[np.zeros(17, int), np.arange(43) % 2]
    losses = scorer(metric, y, None, SLICES).by_split(np.full((2, 1, ROWS), 0.4))
    np.testing.assert_array_equal(np.isinf(losses), [[True, False, False]] * 2)


@pytest.mark.parametrize("metric", [AUC, LOG_LOSS])
def test_a_sample_is_in_order_and_holds_both_classes_of_every_split(metric: Metric) -> None:
    generator = np.random.default_rng(0)
    y = (generator.random(6000) < 0.05).astype(np.int64)
    slices = (slice(0, 2000), slice(2000, 6000))
    rows = scorer(metric, y, None, slices).sample(1000, generator)
    assert np.all(np.diff(rows) > 0)
    assert 800 < len(rows) <= 1010
    for s in slices:
        inside = y[rows[(rows >= s.start) & (rows < s.stop)]]
        assert inside.min() == 0
        assert inside.max() == 1
    if metric is AUC:  # as many positives as there are, since their number is what limits how well AUC is known
        assert y[rows].sum() == y.sum()
