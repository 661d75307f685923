"""The convex method: the gap bounds what is left to gain, whatever the members are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.ensembles.test_blending import collect
from workbench.blending.weighted import Weighted
from workbench.ensembles.convex import Convex, own_class
from workbench.ensembles.members import Members
from workbench.ensembles.method import NotApplicable
from workbench.ensembles.mixture_rows import MixtureRows
from workbench.ensembles.residual_norms import minimise_squares
from workbench.ensembles.simplex_quadratic import minimise_quadratic
from workbench.metrics import AUC, LOG_LOSS, MAE, MAPE, QWK, R2, RMSE, RMSLE, SMAPE, Array, Metric, pinball

CERTIFIED = [LOG_LOSS, RMSE, R2, RMSLE, MAE, MAPE, pinball("0.9")]
NASTY = ["plain", "collinear", "duplicates", "constant", "perfect", "labels", "few rows", "weights", "saturated"]


def members_of(metric: Metric, kind: str = "plain", seed: int = 0, count: int = 6, rows: int = 60) -> Members:
    """Members for a metric whose predictions are nasty in one way."""
    generator = np.random.default_rng(seed)
    rows = max(6, count // 2) if kind == "few rows" else rows
    latent = generator.normal(size=rows)
    y: Array = (latent + generator.normal(size=rows) > 0).astype(np.int64)
    y[:2] = 0, 1
    if metric.needs == "values":
        y = np.exp(latent)
    noise = generator.normal(size=(count, rows)) * generator.uniform(0.2, 3.0, (count, 1))
    if kind in ("collinear", "duplicates"):
        noise = noise[[0]] + noise * (1e-5 if kind == "collinear" else 1e-9)
    p = np.exp(latent + noise) if metric.needs == "values" else 1.0 / (1.0 + np.exp(-(latent + noise) * 2.0))
    if kind == "constant":
        p = np.repeat(p[:, :1], rows, axis=1)
    if kind == "perfect":
        p[0] = y
    if kind == "labels":
        p = np.round(p)
    if kind == "saturated":
        p = p ** (10.0 ** generator.uniform(-1.0, 0.5 if metric.needs == "values" else 1.5, (count, 1)))
    weight = 10.0 ** generator.uniform(-12.0, 12.0, rows) if kind == "weights" else None
    return collect(p[:, :, None], np.array_split(np.arange(rows), 3), y, metric, weight)


def fitted(members: Members, method: Convex | None = None) -> tuple[Weighted, float | None]:
    fit = (method or Convex()).fit(members)
    assert isinstance(fit.mix, Weighted)
    return fit.mix, fit.gap


def loss(members: Members, mix: Weighted) -> float:
    return members.metric.loss(members.score(mix.apply(members.predictions)))


@settings(max_examples=60, deadline=None)
@given(
    metric=st.sampled_from(CERTIFIED),
    kind=st.sampled_from(NASTY),
    seed=st.integers(0, 10_000),
    count=st.sampled_from([1, 2, 3, 20, 60]),
)
def test_weights_are_a_simplex_and_nothing_is_better_by_more_than_the_gap(metric, kind, seed, count) -> None:
    members = members_of(metric, kind, seed, count)
    mix, gap = fitted(members)
    weights = mix.array[:, 0]
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    if metric in (LOG_LOSS, RMSE, R2, RMSLE):
        assert gap is not None
    if gap is None:
        return
    if kind not in ("saturated", "weights"):  # there the smallest weight may have an effect
        assert not ((weights > 0.0) & (weights < 1e-7)).any()
    score = loss(members, mix)
    assert gap <= 1e-6 * max(1.0, abs(score))
    rivals = np.vstack([np.eye(count), np.random.default_rng(seed).dirichlet(np.full(count, 0.3), 30)])
    rivals = np.vstack([rivals, 0.99 * weights + 0.01 * rivals])
    for rival in rivals:
        assert score - gap <= loss(members, Weighted.of(rival, mix.space)) + 1e-9 * max(1.0, abs(score))


@pytest.mark.parametrize("metric", CERTIFIED, ids=lambda metric: metric.name)
def test_no_grid_of_three_members_has_a_better_point(metric: Metric) -> None:
    members = members_of(metric, count=3, seed=4)
    mix, gap = fitted(members)
    grid = [(a, b, 50 - a - b) for a in range(51) for b in range(51 - a)]
    best = min(loss(members, Weighted.of(np.array(point) / 50.0, mix.space)) for point in grid)
    assert gap is not None
    assert best - 2e-2 < loss(members, mix) <= best + 1e-6


@pytest.mark.parametrize("metric", [LOG_LOSS, RMSE, R2], ids=lambda metric: metric.name)
def test_the_optimum_is_that_of_another_solver(metric: Metric) -> None:
    members = members_of(metric, count=8, seed=1, rows=90)
    mix, gap = fitted(members)
    other = minimize(
        lambda point: loss(members, Weighted.of(np.maximum(point, 0.0) / np.maximum(point, 0.0).sum())),
        np.full(8, 1.0 / 8.0),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * 8,
        constraints={"type": "eq", "fun": lambda point: point.sum() - 1.0},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assert gap is not None
    assert gap <= 1e-8
    assert loss(members, mix) == pytest.approx(other.fun, abs=2e-6)
    assert loss(members, mix) <= other.fun + 1e-8


@settings(max_examples=10, deadline=None)
@given(metric=st.sampled_from([LOG_LOSS, RMSE]), seed=st.integers(0, 1000), random=st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter(metric: Metric, seed: int, random) -> None:
    members = members_of(metric, seed=seed)
    order = random.sample(range(6), 6)
    left, right = fitted(members)[0].array[order, 0], fitted(members.take(order))[0].array[:, 0]
    np.testing.assert_allclose(left, right, atol=1e-3)
    assert loss(members.take(order), Weighted.of(left)) == pytest.approx(loss(members, fitted(members)[0]), abs=1e-8)


@pytest.mark.parametrize("kind", ["float32", "offset", "repeats"])
def test_large_numbers_and_float32_lose_no_precision(kind: str) -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=300) * 1e5 + (1e7 if kind == "offset" else 0.0)
    p = y + generator.normal(size=(12, 300)) * generator.uniform(1e4, 1e5, (12, 1))
    p = p.astype(np.float32) if kind == "float32" else p
    parts = [np.arange(300)] * 2 if kind == "repeats" else np.array_split(np.arange(300), 5)
    members = collect(p[:, :, None], parts, y, RMSE)
    _, gap = fitted(members)
    assert gap is not None
    assert gap <= 1e-6


def test_many_rows_are_as_few_in_blocks_of_one_pass_or_several() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 210_000)
    p = (y + generator.normal(size=(4, len(y))) * 2.0 > 0.5) * 0.4 + 0.3
    members = collect(p[:, :, None], np.array_split(np.arange(len(y)), 2), y, LOG_LOSS)
    mix, gap = fitted(members)
    assert gap is not None
    assert gap <= 1e-8
    np.testing.assert_allclose(mix.array[:, 0], 0.25, atol=0.02)
    rows = own_class(members)
    np.testing.assert_allclose(
        rows.gram(np.ones(len(y)), np.array([1, 3])), _dense(rows)[[1, 3]] @ _dense(rows)[[1, 3]].T
    )


def _dense(rows: MixtureRows) -> Array:
    assert rows.offset is not None
    return np.abs(rows.predictions - rows.offset)


def test_a_residual_that_vanishes_in_one_split_alone_is_certified() -> None:
    generator = np.random.default_rng(0)
    residuals = generator.normal(size=(4, 40))
    residuals[0, :20] = 0.0
    parts, share = [slice(0, 20), slice(20, 40)], np.full(40, 1.0 / 80.0)
    found = minimise_squares(MixtureRows(residuals), share, parts, "root")
    assert found.gap <= 1e-6


def test_a_quadratic_without_curvature_goes_to_its_corner() -> None:
    weights = minimise_quadratic(np.zeros((3, 3)), np.array([2.0, 1.0, 3.0]), np.full(3, 1.0 / 3.0), 1e-12)
    np.testing.assert_allclose(weights, [0.0, 1.0, 0.0])


def multiclass(metric: Metric = LOG_LOSS, rows: int = 120) -> Members:
    """Three members, each of which knows one class best."""
    generator = np.random.default_rng(7)
    y = generator.integers(0, 3, rows)
    scores = generator.normal(size=(3, rows, 3))
    scores[np.arange(3), :, np.arange(3)] += 3.0 * (y == np.arange(3)[:, None])
    p = np.exp(scores)
    return collect(p / p.sum(axis=2, keepdims=True), np.array_split(np.arange(rows), 3), y, metric)


def test_multiclass_log_loss_is_certified_and_class_weights_are_better_still() -> None:
    members = multiclass()
    mix, gap = fitted(members)
    own, none = fitted(members, Convex(per_class=True))
    assert gap is not None
    assert gap <= 1e-8
    assert none is None
    assert own.array.shape == (3, 3)
    np.testing.assert_allclose(own.array.sum(axis=0), 1.0)
    assert loss(members, own) < loss(members, mix) - 0.01


@pytest.mark.parametrize("metric", [QWK, SMAPE, AUC], ids=lambda metric: metric.name)
def test_what_stands_in_for_a_metric_has_no_gap(metric: Metric) -> None:
    members = multiclass(metric) if metric is QWK else members_of(metric)
    mix, gap = fitted(members)
    assert gap is None
    assert mix.array.sum() == pytest.approx(1.0)
    if metric is QWK:
        assert loss(members, fitted(members, Convex(per_class=True))[0]) <= loss(members, mix)


def test_class_weights_of_one_output_are_refused() -> None:
    with pytest.raises(NotApplicable, match="leave per_class out"):
        Convex(per_class=True).fit(members_of(LOG_LOSS))
