"""A member that helps gains, a second one like it and noise do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ensembles.test_blending import collect
from workbench.ensembles import gains
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.choice import train
from workbench.ensembles.members import Members
from workbench.metrics import R2, RMSE, Metric

ROWS = 1500


@pytest.fixture(scope="module", params=[RMSE, R2], ids=lambda metric: metric.name)
def members(request: pytest.FixtureRequest) -> Members:
    """Two members whose errors are independent, one that all but repeats the second, and one that is noise."""
    return some(request.param)


def some(metric: Metric) -> Members:
    generator = np.random.default_rng(5)
    y = generator.normal(size=ROWS)
    first, second = y + generator.normal(size=(2, ROWS)) * [[0.5], [0.7]]
    again, noise = second + generator.normal(size=ROWS) * 0.01, generator.normal(size=ROWS)
    predictions = np.stack([first, second, again, noise])[:, :, None]
    return collect(predictions, np.array_split(np.arange(ROWS), 3), y, metric)


def gain_of(members: Members, method: str = "convex") -> dict[int, float | None]:
    return {member.number: member.gain for member in blend(members, BlendSettings(method=method)).members}


def test_gains_are_of_the_metric_and_positive_where_a_member_helps(members: Members) -> None:
    found = gain_of(members)
    assert found[0] is not None
    assert found[0] > 0.03
    assert found.get(1, found.get(2)) == pytest.approx(0.0, abs=2e-3), "the other one says the same"
    pair = gain_of(members.take([0, 1]))
    assert pair[1] is not None
    assert pair[1] > 0.03


def test_noise_does_harm_where_it_cannot_be_left_out(members: Members) -> None:
    found = gain_of(members, "mean")
    assert found[3] is not None
    assert found[3] < 0.0


def test_a_gain_is_the_difference_of_two_nested_scores(members: Members) -> None:
    found = blend(members, BlendSettings(method="convex"))
    without = blend(members.take([1, 2, 3]), BlendSettings(method="convex"))
    gain = next(member.gain for member in found.members if member.number == 0)
    assert gain == pytest.approx(members.metric.loss(without.nested) - members.metric.loss(found.nested), rel=1e-9)


def test_of_a_single_member_there_is_no_gain(members: Members) -> None:
    assert gain_of(members.take([0]), "mean") == {0: None}


def slowly(members: Members, method: str, took: float, seconds: float = 60.0) -> tuple[float | None, ...]:
    """Gains of all members after a training that took so many seconds."""
    pipeline = BlendSettings(method=method).pipelines[method]
    trained = replace(train(method, pipeline, members), seconds=took)
    return gains.member_gains(members, trained, pipeline, range(len(members)), seconds=seconds).of


def test_what_takes_long_is_judged_by_convex_weights_and_what_is_simple_by_itself() -> None:
    members = some(RMSE).canonical()
    assert slowly(members, "greedy", took=1e3) == slowly(members, "convex", took=0.0)
    assert slowly(members, "mean", took=1e3) == slowly(members, "mean", took=0.0)


def test_gains_that_no_time_is_left_for_are_not_known() -> None:
    assert slowly(some(RMSE).canonical(), "mean", took=1.0, seconds=0.0) == (None,) * 4


def test_large_tables_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    members = some(RMSE).canonical()
    whole = slowly(members, "convex", took=0.0)
    monkeypatch.setattr(gains, "FEWEST_ROWS", 900)
    monkeypatch.setattr(gains, "PER_NUMBER", 1.0)
    sampled = slowly(members, "convex", took=1e3)
    assert sampled != whole
    np.testing.assert_allclose(np.array(sampled, float), np.array(whole, float), atol=0.03)
