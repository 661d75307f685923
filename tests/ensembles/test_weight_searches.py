"""Invariants of the methods that search for weights: greedy selection, hill climbing and Nelder-Mead."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ensembles.test_blending import collect, random_members, weights_of
from workbench.ensembles import objective
from workbench.ensembles.greedy import Greedy
from workbench.ensembles.hill_climbing import HillClimbing
from workbench.ensembles.members import HASHED, Members
from workbench.ensembles.method import Method
from workbench.ensembles.moves import Exchange, best_exchange
from workbench.ensembles.nelder_mead import DESCENDED, NelderMead
from workbench.ensembles.objective import Objective
from workbench.metrics import ACCURACY, AUC, AVERAGE_PRECISION, LOG_LOSS, MAE, QWK, RMSE, Array, Metric

METHODS = [Greedy(steps=20), Greedy(steps=10, bags=3), HillClimbing(), HillClimbing(negative=True), NelderMead()]

cases = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "count": st.integers(1, 6),
        "metric": st.sampled_from([AUC, LOG_LOSS, ACCURACY, RMSE, MAE, AVERAGE_PRECISION]),
        "repeats": st.integers(1, 2),
        "weighted": st.booleans(),
    }
)


def loss(members: Members, weights: Array) -> float:
    return members.metric.loss(members.score(members.blend(weights)))


def ordinal(count: int, rows: int = 150, classes: int = 4) -> Members:
    """Members that give probabilities of ordered classes, each good at some of them."""
    generator = np.random.default_rng(count)
    y = generator.integers(0, classes, rows)
    centre = y + generator.normal(size=(count, rows)) * generator.uniform(0.4, 1.5, (count, 1))
    p = np.exp(-((centre[:, :, None] - np.arange(classes)) ** 2))
    return collect(p / p.sum(axis=2, keepdims=True), np.array_split(np.arange(rows), 3), y, QWK)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@settings(max_examples=7, deadline=None)
@given(case=cases)
def test_weights_sum_to_one_and_never_lose_to_the_best_member(method: Method, case: dict) -> None:
    members = random_members(**case).canonical()
    weights = weights_of(method, members)
    assert weights.shape == (len(members),)
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    if not getattr(method, "negative", False):
        assert weights.min() >= 0.0
    assert loss(members, weights) <= min(loss(members, single) for single in np.eye(len(members)))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_order_and_duplicates_change_nothing(method: Method) -> None:
    members = random_members(3, count=5, metric=AUC)
    found = weights_of(method, members.canonical())
    again = weights_of(method, members.take([4, 2, 0, 1, 2, 3, 0]).canonical())
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("metric", [AUC, ACCURACY, LOG_LOSS, MAE])
def test_nelder_mead_is_as_good_as_a_fine_grid(metric: Metric) -> None:
    members = random_members(11, count=3, metric=metric, rows=200)
    grid = [np.array([a, b, 20 - a - b]) / 20 for a, b in product(range(21), repeat=2) if a + b <= 20]
    best = min(loss(members, weights) for weights in grid)
    assert loss(members, weights_of(NelderMead(), members)) <= best + 1e-3 * abs(best)


@pytest.mark.parametrize("method", [Greedy(), HillClimbing(), NelderMead()], ids=repr)
def test_two_independent_errors_get_one_half_each(method: Method) -> None:
    generator = np.random.default_rng(3)
    y = generator.normal(size=600)
    good, noise = y + generator.normal(size=(2, 600)), 20.0 * generator.normal(size=(1, 600))
    members = collect(np.concatenate([good, noise])[:, :, None], np.array_split(np.arange(600), 5), y, RMSE)
    weights = weights_of(method, members)
    np.testing.assert_allclose(weights[:2], 0.5, atol=0.06)
    assert weights[2] < 0.02


def test_negative_weights_take_away_what_members_share() -> None:
    generator = np.random.default_rng(0)
    y, shared, noise = generator.normal(size=(3, 300))
    predictions = np.stack([y + shared, y + 2.0 * shared + 0.1 * noise])[:, :, None]
    members = collect(predictions, np.array_split(np.arange(300), 3), y, RMSE)
    weights = weights_of(HillClimbing(negative=True), members)
    np.testing.assert_allclose(weights, [2.0, -1.0], atol=0.1)  # 2 (y + shared) - (y + 2 shared) = y
    np.testing.assert_array_equal(weights_of(HillClimbing(), members), [1.0, 0.0])


def test_nelder_mead_is_never_worse_than_where_it_starts() -> None:
    for members in (ordinal(5), ordinal(DESCENDED + 5)):
        found = loss(members, weights_of(NelderMead(), members))
        for start in (Greedy(), HillClimbing()):
            assert found <= loss(members, weights_of(start, members)) + 1e-12


def test_more_steps_of_greedy_are_never_worse_and_bags_follow_the_seed() -> None:
    members = ordinal(8)
    ends = [loss(members, weights_of(Greedy(steps=steps), members)) for steps in (0, 1, 5, 30)]
    assert all(right <= left for left, right in pairwise(ends))
    assert not np.array_equal(*(weights_of(Greedy(bags=3, seed=seed), members) for seed in (0, 1)))


@pytest.mark.parametrize("metric", [AUC, RMSE, LOG_LOSS, QWK])
def test_a_move_is_scored_as_the_weights_that_it_leads_to(metric: Metric) -> None:
    members = ordinal(4) if metric is QWK else random_members(5, count=4, metric=metric, weighted=True)
    exact = Objective.of(members)
    weights, which, steps = np.array([0.4, 0.0, 0.35, 0.25]), np.array([0, 1, 3, 3]), np.array([0.3, 0.1, -0.2, 0.77])
    for found, member, step in zip(exact.moves(weights, which, steps), which, steps, strict=True):
        after = (1.0 - step) * weights + step * np.eye(4)[member]
        assert found == pytest.approx(loss(members, after), rel=1e-12)
        assert exact(after) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("metric", [AUC, RMSE, QWK])
def test_an_exchange_is_scored_as_the_weights_that_it_leads_to(metric: Metric) -> None:
    members = ordinal(4) if metric is QWK else random_members(5, count=4, metric=metric, weighted=True)
    exact, weights = Objective.of(members), np.array([0.4, 0.0, 0.35, 0.25])
    givers, takers, amounts = np.array([0, 3, 2]), np.array([1, 0, 3]), np.array([0.4, 0.1, 0.05])
    found = exact.exchanges(weights, givers, takers, amounts)
    for lowest, giver, taker, amount in zip(found, givers, takers, amounts, strict=True):
        after = Exchange(giver, taker, amount, lowest).applied(weights)
        assert lowest == pytest.approx(loss(members, after), rel=1e-12)
    assert best_exchange(exact, exact, weights, (givers, takers), amounts).loss == found.min()


@pytest.mark.parametrize("members", [random_members(7, count=6, metric=AUC, rows=120), ordinal(9)], ids=["auc", "qwk"])
def test_greedy_is_never_worse_than_plain_selection_from_the_best(members: Members) -> None:
    exact = Objective.of(members)
    counts = np.eye(len(members))[exact.singles.argmin()]
    path = [exact(counts)]
    for size in range(1, 26):
        counts = min(((counts * size + one) / (size + 1) for one in np.eye(len(members))), key=exact)
        path.append(exact(counts))
    assert loss(members, weights_of(Greedy(steps=25), members)) <= min(path) + 1e-12


def test_members_that_differ_in_few_rows_are_told_apart() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 4 * HASHED)
    predictions = generator.uniform(size=(3, len(y), 1)).repeat(2, axis=0)
    predictions[1, 1] = 0.5  # not among the rows that are looked at first
    members = collect(predictions, np.array_split(np.arange(len(y)), 2), y, AUC)
    found = members.canonical()
    assert len(found) == 4
    again = members.take([5, 1, 3, 0, 2, 4]).canonical()
    np.testing.assert_array_equal(found.predictions, again.predictions)
    assert found.canonical() is found


@pytest.mark.parametrize("method", [Greedy(steps=20), HillClimbing(), NelderMead()], ids=repr)
def test_on_many_rows_moves_are_screened_on_few_and_decided_on_all(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = random_members(4, count=6, metric=AUC, rows=3000)
    plain = loss(members, weights_of(method, members))
    monkeypatch.setattr(objective, "SAMPLE", 400)
    screened = loss(members, weights_of(method, members))
    assert screened == pytest.approx(plain, rel=2e-3)
    assert screened <= min(loss(members, single) for single in np.eye(6))
