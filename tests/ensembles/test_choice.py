"""How sure a score is, which method is chosen by it, and which two blends are proposed for the last day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ensembles.test_methods import members_of
from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import equal
from workbench.blending.result import BlendResult, MethodScore
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.bootstrap import bootstrap, interval
from workbench.ensembles.choice import Trained, choose
from workbench.ensembles.finalists import agreement, propose
from workbench.ensembles.members import Candidate, Members
from workbench.ensembles.nested import Nested
from workbench.ensembles.pipeline import Fitted
from workbench.metrics import ACCURACY, LOG_LOSS, MAE, Array, Metric


def rows_of(y: Array, *, repeats: int = 1) -> Members:
    """One member that predicts 0, on two splits a repeat."""
    split = np.concatenate([2 * repeat + np.arange(len(y)) % 2 for repeat in range(repeats)])
    order = np.argsort(split, kind="stable")
    row = np.tile(np.arange(len(y)), repeats)[order]
    return Members(
        refs=(Candidate("mlp", 0, "key", "plan", 0.5, 0.1),),
        predictions=np.zeros((1, len(row), 1)),
        y=y[row],
        weight=None,
        split=split[order],
        row=row,
        metric=MAE,
        plan_key="plan",
    )


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_bootstrap_is_as_wide_as_the_score_varies_whatever_the_repeats(repeats: int) -> None:
    """The error of a mean is known. Repeats of the same predictions say nothing new."""
    y = np.random.default_rng(0).exponential(size=400)
    members = rows_of(y, repeats=repeats)
    scores = bootstrap(members, [members.predictions[0]])[:, 0]
    assert scores.std() == pytest.approx(y.std() / 20.0, rel=0.15)
    assert scores.mean() == pytest.approx(y.mean(), rel=0.02)


def test_intervals_hold_the_true_score_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(40):
        members = rows_of(generator.exponential(size=150))
        low, high = interval(bootstrap(members, [members.predictions[0]], seed=trial)[:, 0])
        hits += low <= 1.0 <= high
    assert 34 <= hits <= 40  # 95 % of 40 are 38


def test_many_rows_take_few_samples_that_are_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.ensembles.bootstrap.ROWS", 4e6)
    y = np.random.default_rng(2).exponential(size=100_001)
    members = rows_of(y)
    scores = bootstrap(members, [members.predictions[0]])[:, 0]
    assert scores.std() == pytest.approx(1.0 / np.sqrt(len(y)), rel=0.3)


def trained(name: str, simplicity: int) -> Trained:
    fitted = Fitted(FittedBlend(mix=equal(1), probabilities=False), None)
    return Trained(name, simplicity, fitted, Nested(np.zeros((1, 1)), np.zeros(1)), 0.0, 0.0)


def row(name: str, behind: float, error: float) -> MethodScore:
    return MethodScore(method=name, in_sample=0.0, nested=1.0 + behind, nested_se=0.0, low=0.0, high=0.0,
                       behind_best=behind, behind_best_se=error, members=1, seconds=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("behind", "chosen"),
    [
        ({"simple": (0.02, 0.03), "middle": (0.001, 0.01), "best": (0.0, 0.0)}, "simple"),
        ({"simple": (0.04, 0.03), "middle": (0.001, 0.01), "best": (0.0, 0.0)}, "middle"),
        ({"simple": (0.04, 0.03), "middle": (0.02, 0.01), "best": (0.0, 0.0)}, "best"),
        ({"simple": (1e-12, 0.0), "middle": (0.0, 0.0), "best": (0.0, 0.0)}, "simple"),
        ({"simple": (float("nan"), 0.0), "middle": (float("nan"), 0.0), "best": (float("nan"), 0.0)}, "simple"),
        ({"simple": (float("inf"), 0.0), "middle": (0.0, 0.0), "best": (0.0, 0.0)}, "middle"),
    ],
)
def test_the_simplest_within_one_standard_error_of_the_difference_is_chosen(
    behind: dict[str, tuple[float, float]], chosen: str
) -> None:
    methods = [trained(name, place) for place, name in enumerate(behind)]
    assert choose(methods, tuple(row(name, *each) for name, each in behind.items())).name == chosen


def test_bad_members_do_not_spoil_what_auto_chooses() -> None:
    members = members_of(LOG_LOSS, rows=300, count=3)
    generator = np.random.default_rng(5)
    bad = generator.beta(0.5, 0.5, (3, 300, 1))
    refs = tuple(Candidate("bad", i, f"bad{i}", "plan", 0.5, 0.1) for i in range(3))
    spoiled = replace(members, refs=members.refs + refs, predictions=np.concatenate([members.predictions, bad]))
    found, mean = blend(spoiled), blend(spoiled, BlendSettings(method="mean"))
    assert found.nested < mean.nested - 0.05
    assert sum(member.weight for member in found.members if member.family == "bad") < 0.1


@pytest.mark.parametrize("metric", [LOG_LOSS, ACCURACY], ids=lambda metric: metric.name)
def test_finalists_are_the_best_and_the_one_that_differs_most_of_those_nearly_as_good(metric: Metric) -> None:
    members = members_of(metric, rows=120, count=3).canonical()

    def predict(result: BlendResult) -> Array:
        places = {ref.number: place for place, ref in enumerate(members.refs)}
        return result.blend.predict(members.predictions[[places[member.number] for member in result.members]])

    finalists, table = propose(members, BlendSettings(), predict)
    scores = {row.method: row for row in table if not row.failure}
    first, second = finalists
    assert first.score.nested == min((row.nested for row in scores.values()), key=metric.loss)
    assert {ref.trial for ref in members.refs} & set(scores), "families' best trials are compared too"
    near = [row for row in scores.values() if row.behind_best <= 2.0 * row.behind_best_se]
    assert second.score in near or len(near) < 3
    measured = agreement(predict(first.blend), predict(second.blend), metric.needs)
    assert second.agreement == pytest.approx(measured)
    assert second.agreement < first.agreement == 1.0


def test_agreement_is_of_what_is_submitted() -> None:
    left, right = np.array([[0.6], [0.9], [0.1], [0.2]]), np.array([[0.9], [0.6], [0.2], [0.7]])
    assert agreement(left, right, "labels") == 0.75
    assert agreement(left, right, "probabilities") == pytest.approx(0.4)
    assert agreement(left, left**2, "probabilities") == pytest.approx(1.0)
