"""What every registered method and everything around it keeps to: content alone, rows unseen, and JSON both ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import registry
from workbench.blending.fitted import FittedBlend
from workbench.blending.result import BlendResult
from workbench.blending.weighted import Weighted
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.bootstrap import bootstrap
from workbench.ensembles.choice import train
from workbench.ensembles.members import Candidate, Members
from workbench.ensembles.nested import nest
from workbench.ensembles.pipeline import Pipeline
from workbench.metrics import AUC, F1, F1_MACRO, LOG_LOSS, QWK, RMSE, RMSLE, Array, Metric

METHODS = sorted(registry.references("ensembles"))
ON_SIMPLEX = ("convex", "geometric_mean", "greedy", "hill_climbing", "mean", "nelder_mead")
BOOSTED = {"model": "boosted", "features": True}


def members_of(
    metric: Metric, *, seed: int = 0, rows: int = 120, count: int = 4, classes: int = 2, splits: int = 3
) -> Members:
    """Members of differing quality; of several classes, ordered ones. ``classes`` 0 is a regression."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, classes, rows) if classes else np.exp(generator.normal(size=rows))
    noise = generator.normal(size=(count, rows)) * generator.uniform(0.7, 2.0, (count, 1))
    if not classes:
        predictions = np.exp(np.log(y) + 0.4 * noise)[:, :, None]
    elif classes == 2:
        predictions = (1.0 / (1.0 + np.exp(-(2.0 * y - 1.0 + noise))))[:, :, None]
    else:
        powers = np.exp(-(((y + 0.7 * noise)[:, :, None] - np.arange(classes)) ** 2))
        predictions = powers / powers.sum(axis=2, keepdims=True)
    return Members(
        refs=tuple(Candidate(f"family{i % 2}", i, f"key{i}", "plan", 0.5, 0.1) for i in range(count)),
        predictions=predictions,
        y=y,
        weight=None,
        split=np.sort(np.arange(rows) % splits),
        row=np.arange(rows),
        metric=metric,
        plan_key="plan",
        classification=classes > 0,
        features=generator.normal(size=(rows, 2)),
    )


def repeated(members: Members) -> Members:
    """The same rows once more, in another order and with other predictions of them, as a second repeat gives."""
    order = np.random.default_rng(1).permutation(len(members.row))
    again = members.predictions[:, order] * 0.98 + 0.005
    return replace(
        members,
        predictions=np.concatenate([members.predictions, again], axis=1),
        y=np.r_[members.y, members.y[order]],
        split=np.r_[members.split, members.split + 1 + members.split.max()],
        row=np.r_[members.row, members.row[order]],
        features=None if members.features is None else members.features[np.r_[members.row, order]],
    )


def metric_of(method: str) -> Metric:
    return AUC if method == "rank_average" else LOG_LOSS


def predicted(result: BlendResult, members: Members) -> Array:
    order = [member.number for member in result.members]
    by_number = {ref.number: place for place, ref in enumerate(members.refs)}
    return result.blend.predict(members.predictions[[by_number[number] for number in order]], members.features)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations([0, 1, 2, 3, 1, 3]))
def test_order_and_duplicates_of_members_change_nothing(method: str, seed: int, order: list[int]) -> None:
    members = members_of(metric_of(method), seed=seed, rows=60)
    mixed = members.take(order)
    mixed = replace(mixed, refs=tuple(replace(ref, number=place) for place, ref in enumerate(mixed.refs)))
    (pipeline,) = BlendSettings(method=method).pipelines.values()
    once, again = members.canonical(), mixed.canonical()
    np.testing.assert_array_equal(once.predictions, again.predictions)
    first, second = (pipeline.fit(part).blend.predict(part.predictions) for part in (once, again))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ON_SIMPLEX)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.sampled_from([0, 2, 3]))
def test_weights_form_a_simplex(method: str, seed: int, classes: int) -> None:
    members = members_of(LOG_LOSS if classes else RMSE, seed=seed, classes=classes, rows=60)
    mix = BlendSettings(method=method).pipelines[method].method.fit(members.canonical()).mix
    assert isinstance(mix, Weighted)
    assert mix.array.min() >= 0.0
    assert mix.array.sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("method", "metric", "classes"),
    [
        *(
            (method, metric, classes)
            for method in ("convex", "stacking")
            for metric, classes in ((LOG_LOSS, 2), (RMSE, 0))
        ),
        *((method, QWK, 4) for method in ("greedy", "hill_climbing", "nelder_mead")),
    ],
    ids=lambda part: part.name if isinstance(part, Metric) else str(part),
)
def test_a_useless_member_does_not_hurt_the_nested_score_beyond_noise(
    method: str, metric: Metric, classes: int
) -> None:
    members = members_of(metric, classes=classes, rows=150, count=3)
    useless = np.random.default_rng(9).permutation(members.predictions[0])[None]
    more = replace(
        members,
        refs=(*members.refs, Candidate("noise", 9, "noise", "plan", 0.5, 0.1)),
        predictions=np.concatenate([members.predictions, useless]),
    ).canonical()
    (pipeline,) = BlendSettings(method=method).pipelines.values()
    before, after = (train(method, pipeline, part) for part in (members, more))
    samples = bootstrap(members, [before.nested.predictions, after.nested.predictions])
    noise = float((samples[:, 1] - samples[:, 0]).std())
    assert metric.loss(after.nested.score) <= metric.loss(before.nested.score) + 2.0 * noise
    place = [ref.family for ref in more.refs].index("noise")
    assert after.fitted.blend.mix.shares()[place] < 0.2


def name_of(given_: BlendSettings) -> str:
    parts = (given_.method, *given_.options, given_.bagging, given_.selection, given_.calibration)
    return "-".join(part for part in parts if part not in ("none", "best"))


HONEST = [
    *(BlendSettings(method=method) for method in METHODS),
    BlendSettings(method="stacking", options=BOOSTED),
    BlendSettings(method="stacking", options={"levels": 2}),
    *(BlendSettings(method="convex", bagging=bagging, bags=2) for bagging in ("rows", "folds")),
    *(BlendSettings(method="convex", selection=selection) for selection in ("forward", "uncorrelated")),
    BlendSettings(method="mean", calibration="isotonic"),
    BlendSettings(method="mean", calibration="temperature"),
]


@pytest.mark.parametrize(
    "given_",
    HONEST,
    ids=name_of,
)
def test_what_predicts_a_row_for_the_nested_score_has_not_seen_its_target(given_: BlendSettings) -> None:
    """Other targets of a split change nothing of what is predicted for it, in no repeat and at no level."""
    metric = F1 if given_.method == "mean" else metric_of(given_.method)
    rows = 160 if given_.options else 40  # with fewer no tree splits
    members = repeated(members_of(metric, rows=rows, count=3, splits=2)).canonical()
    (pipeline,) = given_.pipelines.values()
    held = members.slices[0]
    there = ~members.outside(held)
    other = replace(members, y=np.where(there, 1 - members.y, members.y))
    nested = [nest(lambda others: pipeline.fit(others).blend, part).predictions for part in (members, other)]
    np.testing.assert_array_equal(nested[0][held], nested[1][held])


@pytest.mark.parametrize(
    "given_",
    [
        *(BlendSettings(method=method) for method in METHODS),
        BlendSettings(method="stacking", options=BOOSTED),
        BlendSettings(method="stacking", options={"levels": 2}),
        BlendSettings(method="geometric_mean", bagging="folds"),
        BlendSettings(method="convex", per_class=True, bagging="rows", bags=3),
        BlendSettings(method="convex", calibration="isotonic", selection="forward"),
        BlendSettings(method="mean", calibration="temperature"),
    ],
    ids=name_of,
)
def test_a_blend_is_json_and_scores_what_it_says(given_: BlendSettings) -> None:
    classes = 3 if given_.per_class else 2
    metric = F1_MACRO if given_.per_class else metric_of(given_.method)
    members = members_of(metric, classes=classes, rows=180, splits=2)
    found = blend(members, given_)
    again = BlendResult.model_validate_json(found.model_dump_json())
    assert again == found
    np.testing.assert_array_equal(predicted(again, members), predicted(found, members))
    assert members.score(predicted(again, members)) == pytest.approx(found.in_sample, rel=1e-9)
    # Each row is predicted alone, and the members' order is the result's.
    order = [member.number for member in found.members][::-1]
    turned = found.blend.take(list(range(len(order)))[::-1])
    alone = turned.predict(members.predictions[order, 3:4], members.features[3:4])
    np.testing.assert_allclose(alone, predicted(found, members)[3:4], rtol=1e-9)


def test_members_that_are_none_of_its_own_are_spread_around_a_blend() -> None:
    generator = np.random.default_rng(0)
    predictions = generator.random((4, 5, 1))
    inner = FittedBlend(mix=Weighted.of([0.25, 0.75]), probabilities=True)
    spread = inner.spread([3, 1], 4)
    expected = 0.25 * predictions[3] + 0.75 * predictions[1]
    np.testing.assert_allclose(spread.predict(predictions), expected)
    np.testing.assert_allclose(spread.mix.shares(), [0.0, 0.75, 0.0, 0.25])
    np.testing.assert_allclose(spread.take([1, 3]).predict(predictions[[1, 3]]), expected)


@pytest.mark.parametrize("case", ["two rows", "one split", "no weight", "one class", "constant", "no score"])
def test_what_little_there_is_is_blended_without_a_word(case: str) -> None:
    metric = AUC
    members = members_of(metric, rows=60)
    match case:
        case "two rows":
            keep = np.isin(np.arange(60), [0, 59])
            members = replace(members, y=np.r_[0, members.y[1:59], 1]).rows_where(keep)
        case "one split":
            members = replace(members, split=np.zeros(60, dtype=np.int64))
        case "no weight":
            members = replace(members, weight=(members.split > 0).astype(np.float64))
        case "one class":
            members = replace(members, y=np.where(members.split == 1, 0, members.y))
        case "constant":
            members = replace(members, predictions=np.full((4, 60, 1), 0.5) + 0.1 * np.arange(4)[:, None, None])
        case "no score":
            members = replace(members, metric=replace(metric, function=lambda *_: float("nan")))
    found = blend(members)
    assert {row.method for row in found.considered if row.failure} <= {"nelder_mead"}
    assert sum(member.weight for member in found.members) == pytest.approx(1.0)
    assert np.isfinite(predicted(found, members)).all()
    members = members.canonical()
    for options in (BOOSTED, {"levels": 2}, {}):
        for bagging in ("none", "folds") if options is BOOSTED else ("none",):
            settings_ = BlendSettings(method="stacking", options=options, bagging=bagging, bags=2)
            mix = settings_.pipelines["stacking"].fit(members).blend.mix
            assert np.isfinite(mix.apply(members.predictions, members.features)).all()
            assert mix.shares().sum() == pytest.approx(1.0)


def test_bags_follow_their_seed_and_are_the_mean_of_their_fits() -> None:
    members = members_of(LOG_LOSS).canonical()
    method = BlendSettings(method="convex").pipelines["convex"].method
    bagged = Pipeline(method=method, bagging="folds").fit(members).blend.mix
    parts = [members.rows_where(members.split != split) for split in range(3)]
    expected = np.mean([method.fit(part).mix.array for part in parts], axis=0)  # type: ignore[union-attr]
    assert isinstance(bagged, Weighted)
    np.testing.assert_allclose(bagged.array, expected)
    rows = [
        Pipeline(method=replace(method, seed=seed), bagging="rows", bags=2).fit(members).blend.mix  # type: ignore[type-var]
        for seed in (0, 0, 1)
    ]
    assert rows[0] == rows[1] != rows[2]


def test_without_a_metric_of_logarithms_trees_correct_values_and_with_one_their_logarithms() -> None:
    for metric, space in ((RMSE, "linear"), (RMSLE, "log1p")):
        members = members_of(metric, classes=0, rows=200).canonical()
        mix = (
            BlendSettings(method="stacking", options={"model": "boosted"}).pipelines["stacking"].fit(members).blend.mix
        )
        assert mix.space == space  # type: ignore[union-attr]
        best = min(metric.loss(score) for score in members.singles())
        assert metric.loss(members.score(mix.apply(members.predictions))) < best
