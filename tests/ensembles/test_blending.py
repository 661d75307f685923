"""Invariants of members, of the Nelder-Mead weights and of the nested score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.blending.result import BlendResult
from workbench.blending.weighted import Weighted
from workbench.ensembles.averages import Mean
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.members import Candidate, Members, gather
from workbench.ensembles.method import Fit, Method
from workbench.ensembles.nelder_mead import TINY, NelderMead
from workbench.ensembles.nested import nest
from workbench.ensembles.pipeline import Pipeline
from workbench.errors import ConfigError, NothingToDeliver, StoreError
from workbench.metrics import ACCURACY, AUC, LOG_LOSS, RMSE, Array, Metric

PLAN = "plan"


def candidate(number: int, family: str = "mlp", plan: str = PLAN) -> Candidate:
    return Candidate(family, number, f"key{number}", plan, score=0.5, score_se=0.1, values={"depth": number})


def collect(
    predictions: Array, validate: list[Array], y: Array, metric: Metric, weight: Array | None = None
) -> Members:
    """Members from table-wide predictions ``(members, rows, outputs)``."""
    return gather(
        [candidate(number) for number in range(len(predictions))],
        lambda key: [predictions[int(key.removeprefix("key"))][rows] for rows in validate],
        validate=validate,
        y=y,
        weight=weight,
        metric=metric,
        plan_key=PLAN,
    )


def random_members(
    seed: int, *, count: int, metric: Metric, rows: int = 40, repeats: int = 1, weighted: bool = False
) -> Members:
    """Members of every quality, some saturated at 0 and 1, some with ties."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, rows).astype(np.int64)
    y[: rows // 2] = np.arange(rows // 2) % 2
    noise = generator.normal(size=(count, rows)) * generator.uniform(0.1, 4.0, (count, 1))
    p = 1.0 / (1.0 + np.exp(-(2.0 * y - 1.0 + noise)))
    p[0] = p[0].round(int(generator.integers(0, 3)))
    validate = [part for _ in range(repeats) for part in np.array_split(np.arange(rows), 3)]
    return collect(p[:, :, None], validate, y, metric, generator.random(rows) + 0.1 if weighted else None)


def weights_of(method: Method, members: Members) -> Array:
    """The weights of a method that finds an average."""
    mix = method.fit(members).mix
    assert isinstance(mix, Weighted)
    return mix.array[:, 0]


def nested_score(method: Method, members: Members) -> tuple[float, float]:
    pipeline = Pipeline(method=method)
    nested = nest(lambda part: pipeline.fit(part).blend, members)
    return nested.score, nested.error


NELDER_MEAD = BlendSettings(method="nelder_mead")

cases = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "count": st.integers(1, 4),
        "metric": st.sampled_from([AUC, LOG_LOSS, ACCURACY, RMSE]),
        "repeats": st.integers(1, 2),
        "weighted": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_weights_are_a_simplex_and_never_lose_to_the_best_member(case: dict) -> None:
    members = random_members(**case)
    weights = weights_of(NelderMead(starts=5), members)
    assert weights.shape == (len(members),)
    assert np.all(weights >= 0)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert not members.metric.better(max_or_min(members), members.score(members.blend(weights)))


def max_or_min(members: Members) -> float:
    singles = members.singles()
    return float(singles.min() if members.metric.direction == "minimize" else singles.max())


def test_a_second_good_member_gets_weight_and_a_random_one_does_not() -> None:
    generator = np.random.default_rng(3)
    y = generator.normal(size=600)
    good = y + generator.normal(size=(2, 600))
    noise = generator.normal(size=(1, 600)) * 20
    members = collect(np.concatenate([good, noise])[:, :, None], np.array_split(np.arange(600), 5), y, RMSE)
    weights = weights_of(NelderMead(), members)
    # Two independent errors of equal variance: one half each, and 30 % less error.
    np.testing.assert_allclose(weights[:2], 0.5, atol=0.1)
    assert weights[2] < 0.02
    assert members.score(members.blend(weights)) < 0.8 * members.singles().min()


def test_weights_below_the_limit_are_dropped_when_that_is_not_worse() -> None:
    y = np.linspace(-1, 1, 90)
    wild = np.random.default_rng(0).normal(size=90) * 1e4
    members = collect(np.stack([y * 0.9, y * 1.1, wild])[:, :, None], np.array_split(np.arange(90), 3), y, RMSE)
    weights = weights_of(NelderMead(), members)
    assert weights[2] == 0.0
    assert not np.any((weights > 0) & (weights < TINY))


@pytest.mark.parametrize("metric", [AUC, LOG_LOSS, ACCURACY, RMSE])
def test_identical_members_score_like_one(metric: Metric) -> None:
    one = random_members(1, count=1, metric=metric)
    members = collect(
        np.repeat(one.predictions[:, np.argsort(one.row)], 3, axis=0),
        np.array_split(np.arange(40), 3),
        one.y[np.argsort(one.row)],
        metric,
    )
    result = blend(members)
    assert result.in_sample == pytest.approx(one.score(one.predictions[0]), rel=1e-12)
    assert result.nested == pytest.approx(result.in_sample, rel=1e-12)
    assert sum(m.weight for m in result.members) == pytest.approx(1.0)


def test_one_member_is_itself() -> None:
    members = random_members(5, count=1, metric=LOG_LOSS, repeats=2)
    result = blend(members)
    assert [m.weight for m in result.members] == [1.0]
    assert result.in_sample == result.nested == result.best_single
    assert result.members[0].values == {"depth": 0}


def without_seconds(result: BlendResult) -> BlendResult:
    rows = tuple(row.model_copy(update={"seconds": 0.0, "failure": row.failure}) for row in result.considered)
    return result.model_copy(update={"considered": tuple(row for row in rows if not row.failure)})


def test_the_same_seed_gives_the_same_blend() -> None:
    members = random_members(7, count=4, metric=AUC)
    assert without_seconds(blend(members, BlendSettings(seed=1))) == without_seconds(
        blend(members, BlendSettings(seed=1))
    )


def test_members_of_a_blend_have_weight_and_come_heaviest_first() -> None:
    result = blend(random_members(11, count=4, metric=RMSE, rows=90))
    weights = [member.weight for member in result.members]
    assert weights == sorted(weights, reverse=True)
    assert min(weights) > 0


@pytest.mark.parametrize("repeats", [1, 2])
def test_nested_weights_never_see_the_rows_that_score_them(repeats: int) -> None:
    """What a blender is given for a split holds none of its rows, whichever repeat predicted them."""
    members = random_members(2, count=3, metric=RMSE, repeats=repeats)
    seen: list[set[int]] = []

    @dataclass(frozen=True)
    class Spy(Mean):
        def fit(self, given: Members) -> Fit:
            seen.append(set(given.row.tolist()))
            return super().fit(given)

    nested_score(Spy(), members)
    assert len(seen) == len(members.slices)
    for part, rows in zip(members.slices, seen, strict=True):
        held_out = set(members.row[part].tolist())
        assert rows == set(range(40)) - held_out


def test_nested_score_is_the_mean_over_splits_of_held_out_scores() -> None:
    members = random_members(4, count=3, metric=LOG_LOSS)
    mean, error = nested_score(Mean(), members)
    scores = members.scores(members.predictions.mean(axis=0))
    assert mean == pytest.approx(scores.mean())
    assert error == pytest.approx(scores.std(ddof=1) / np.sqrt(3))


def test_nested_is_honest_about_noise() -> None:
    """Weights fitted on noise look better in-sample than on rows that they have not seen."""
    generator = np.random.default_rng(0)
    y = generator.normal(size=60)
    members = collect(generator.normal(size=(8, 60, 1)), np.array_split(np.arange(60), 5), y, RMSE)
    result = blend(members, NELDER_MEAD)
    assert result.nested > result.in_sample


def test_a_plan_of_one_split_is_scored_with_equal_weights() -> None:
    y = np.arange(6.0)
    members = collect(np.stack([y + 1, y - 1])[:, :, None], [np.arange(6)], y, RMSE)
    assert nested_score(NelderMead(), members) == (pytest.approx(0.0, abs=1e-12), 0.0)


def test_a_split_of_one_class_is_left_out_for_all() -> None:
    """AUC is not defined there; the other split decides, and the bad member does not win by coming first by name."""
    y = np.array([0, 0, 0, 0, 1, 1, 0, 1])
    p = np.stack([1.0 - y, 0.2 + 0.6 * y])[:, :, None]
    members = collect(p, [np.arange(4), np.arange(4, 8)], y, AUC)
    assert members.defined.tolist() == [False, True]
    assert members.singles().tolist() == [0.0, 1.0]
    assert weights_of(NelderMead(), members).tolist() == [0.0, 1.0]


def test_members_that_cannot_be_scored_weigh_the_same() -> None:
    members = collect(np.random.default_rng(0).random((2, 6, 1)), [np.arange(3), np.arange(3, 6)], np.zeros(6), AUC)
    assert weights_of(NelderMead(), members).tolist() == [0.5, 0.5]
    assert np.isnan(nested_score(NelderMead(), members)[0])


def test_a_member_without_a_score_where_others_have_one_does_not_win() -> None:
    def correlation(y: Array, p: Array, _weight: Array | None) -> float:
        return float(np.corrcoef(y, p)[0, 1]) if p.std() > 0 else float("nan")

    y = np.arange(12.0)
    p = np.stack([np.r_[np.ones(6), y[6:]], y + np.sin(9 * y)])[:, :, None]
    metric = Metric("correlation", correlation, "maximize", "values")
    members = collect(p, [np.arange(6), np.arange(6, 12)], y, metric)
    assert members.defined.all()
    assert np.isnan(members.singles()[0])
    assert weights_of(NelderMead(), members)[1] > 0


@pytest.mark.parametrize("repeats", [2, 3])
def test_repeats_that_leave_one_class_to_a_part_are_scored_on_the_rest(repeats: int) -> None:
    """Without the rows of the split that is scored, the parts of other repeats may hold one class alone."""
    generator = np.random.default_rng(1)
    y = np.r_[np.zeros(18, dtype=np.int64), np.ones(6, dtype=np.int64)]
    validate = []
    for _ in range(repeats):
        zeros, ones = generator.permutation(18), 18 + generator.permutation(6)
        validate += [np.sort(np.r_[zeros[i::6], ones[i::6]]) for i in range(6)]
    good = 0.2 + 0.6 * y
    members = collect(np.stack([1.0 - good, good])[:, :, None], validate, y, AUC)
    assert nested_score(NelderMead(), members)[0] == 1.0


def test_multiclass_and_row_weights_reach_the_metric() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 60)
    p = generator.dirichlet(np.ones(3), (2, 60))
    weight = (np.arange(60) < 30).astype(float) + 1e-9
    members = collect(p, np.array_split(generator.permutation(60), 3), y, LOG_LOSS, weight)
    expected = [LOG_LOSS(y[members.row[s]], p[0][members.row[s]], weight[members.row[s]]) for s in members.slices]
    assert members.singles()[0] == pytest.approx(np.mean(expected))
    assert members.blend(np.array([0.5, 0.5])).shape == (60, 3)


def test_mixed_plans_are_refused() -> None:
    with pytest.raises(StoreError, match=r"different fold plans.*expected plan plan, got mlp#0001 on plan other"):
        gather(
            [candidate(0), candidate(1, plan="other")],
            lambda _: [np.zeros((2, 1))],
            validate=[np.arange(2)],
            y=np.zeros(2),
            weight=None,
            metric=RMSE,
            plan_key=PLAN,
        )


@pytest.mark.parametrize(
    ("oof", "message"),
    [
        ([np.zeros((3, 1))], r"expected rows \[2\] by split, got \[3\]"),
        ([np.full((2, 1), np.nan)], "2 values that are not finite"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(oof: list[Array], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        gather(
            [candidate(0)],
            lambda _: oof,
            validate=[np.arange(2)],
            y=np.zeros(2),
            weight=None,
            metric=RMSE,
            plan_key=PLAN,
        )


def test_nothing_to_blend() -> None:
    with pytest.raises(NothingToDeliver, match="no trial is complete"):
        gather([], lambda _: [], validate=[], y=np.zeros(0), weight=None, metric=RMSE, plan_key=PLAN)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'nelder_mead'"):
        blend(random_members(0, count=1, metric=RMSE), BlendSettings(method="neldermead"))
