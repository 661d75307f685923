"""The benchmark of ensembles: its members, its stopwatch, its verdicts."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.blends.cases import first
from benchmarks.blends.contest import TOO_SLOW, Blended, Case, Contest, own
from benchmarks.blends.forked import forked
from benchmarks.blends.generated import generate
from benchmarks.blends.goals import goals_of_steps
from benchmarks.blends.rivals import OutOfTime, Watched, scipy_nelder_mead
from benchmarks.blends.searched import Searched
from benchmarks.blends.tested import Mean
from workbench.ensembles.selection import correlations


@pytest.mark.parametrize("metric", ["log_loss", "rmse", "auc", "qwk"])
def test_generated_members_differ_and_agree_as_real_ones_do(metric: str) -> None:
    members = generate(metric, 2000, 14)
    alike = correlations(members.predictions)[np.triu_indices(14, 1)]
    assert 0.6 < alike.min() < alike.max() < 0.99
    assert np.ptp(members.singles()) > 0.01
    assert len(members.slices) == 5
    assert np.array_equal(members.predictions, generate(metric, 2000, 14).predictions)
    assert np.shares_memory(first(members, 3).predictions, members.predictions)


def searched() -> Searched:
    members = generate("auc", 60, 6)
    refs = tuple(
        replace(ref, score=0.5 + i / 100, score_se=0.01, family=f"f{i % 2}") for i, ref in enumerate(members.refs)
    )
    return Searched("drawn", replace(members, refs=refs), members.predictions[:, :7], members.y[:7])


def test_arrays_of_a_search_are_read_as_they_were_written(tmp_path: Path) -> None:
    there = searched()
    there.write(tmp_path)
    back = Searched.read(tmp_path, "drawn")
    assert back.members.refs == there.members.refs
    assert np.array_equal(back.members.predictions, there.members.predictions)
    assert back.members.score(back.members.predictions[0]) == there.members.score(there.members.predictions[0])
    assert np.array_equal(back.test, there.test)


def test_test_predictions_stay_with_their_members() -> None:
    there = searched()
    some = there.take(there.best_of_each(2)).canonical()
    assert sorted(ref.score for ref in some.members.refs) == [0.52, 0.53, 0.54, 0.55]
    assert np.array_equal(some.test, some.members.predictions[:, :7])


def test_a_process_ends_by_its_result_its_error_or_its_limit() -> None:
    assert forked(lambda: 7, 5.0).result == 7
    assert forked(lambda: 1 / 0, 5.0).failure == "ZeroDivisionError: division by zero"
    late = forked(lambda: time.sleep(60), 0.1)
    assert (late.result, late.failure) == (None, "> 0.1 s")
    assert forked(lambda: np.ones(2**22).sum(), 5.0).extra_mb > 30


def test_out_of_time_a_rival_keeps_the_best_it_has_seen() -> None:
    members = generate("rmse", 200, 3)
    watched = Watched(members, 0.0)
    with pytest.raises(OutOfTime):
        scipy_nelder_mead(members, watched)
    assert (watched.calls, watched.best) == (1, members.score(members.blend(np.full(3, 1 / 3))))
    assert watched.seconds_to(watched.best) is not None
    assert watched.seconds_to(0.0) is None


def test_who_was_too_slow_is_not_asked_for_more() -> None:
    contest = Contest(["mean"])
    slow, more, fewer = (Case(generate("rmse", 100, count), 100, 5.0) for count in (3, 4, 2))
    contest.too_slow(slow.told("mean", own(slow.members, "mean")))
    assert [one.failure for one in contest.run(more)] == [TOO_SLOW]
    assert [one.finished for one in contest.run(fewer)] == [True]


def test_a_method_is_as_good_as_the_best_other_and_as_fast_as_one_of_them() -> None:
    case = {"metric": "auc", "members": 5, "rows": 2000, "real": True}
    found = [
        Blended(**case, contender="greedy", loss=-0.8, seconds=2.0, finished=True),
        Blended(**case, contender="hillclimbers", loss=-0.8, seconds=1.0),
        Blended(**case, contender="scipy", loss=-0.7, seconds=9.0),
        Blended(**case, contender="autogluon"),
    ]
    good, quick = goals_of_steps(found, "greedy")
    assert (good.value, quick.value) == (1.0, 0.0)
    assert "auc 5x2,000 (2 s, not 1 s)" in quick.note
    worse, _ = goals_of_steps([found[0].model_copy(update={"loss": -0.79}), *found[1:]], "greedy")
    assert worse.value == 0.0
    assert "auc 5x2,000 (0.01 behind hillclimbers)" in worse.note


def test_an_interval_over_data_sets_is_students() -> None:
    mean = Mean.of([1.0, 2.0, 3.0])
    assert mean.value == 2.0
    assert mean.high == pytest.approx(2.0 + 4.302653 / math.sqrt(3.0))
    assert math.isnan(Mean.of([1.0]).low)
