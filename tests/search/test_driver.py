"""The search loop on a stub runner: budgets, faults, resumption, deadlines."""

import time

import pytest

from workbench.execution.local import LocalExecutor
from workbench.search.optuna_engine import OptunaEngine
from workbench.search.progress import Silent
from workbench.search.random_engine import RandomEngine
from workbench.types import Parameter, Space


def test_a_budget_is_exact_and_defaults_come_first(bench):
    trials = bench.search(bench.lane(total=7))
    assert [trial.number for trial in trials] == list(range(7))
    assert {trial.state for trial in trials} == {"complete"}
    assert trials[0].values == {"x": 0.0, "y": 4}
    assert len({str(trial.values) for trial in trials}) == 7


def test_families_share_the_budget_in_turn(bench):
    lanes = [bench.lane("a", total=4), bench.lane("b", total=2)]
    bench.search(*lanes)
    order = [event.family for _, _, event in bench.ledger.events(0) if event.kind == "trial.started"]
    assert sorted(order) == ["a"] * 4 + ["b"] * 2
    assert set(order[:2]) == {"a", "b"}


def test_a_family_without_a_space_has_one_trial(bench):
    lane = bench.lane(total=9)
    lane.space = Space(parameters=(Parameter(name="x", kind="fixed", default=0.1),))
    lane.__post_init__()
    assert lane.total == 1


def test_epochs_are_in_the_ledger_before_the_trials_end(bench):
    bench.search(bench.lane(total=1))
    (attempt,) = [event.attempt for _, _, event in bench.ledger.events(0) if event.kind == "trial.finished"]
    reports = bench.ledger.reports(attempt)
    assert [(r.split, r.epoch) for r in reports] == [(s, e) for s in range(3) for e in range(1, 5)]


@pytest.mark.parametrize("engine", [RandomEngine, OptunaEngine])
def test_a_search_in_parts_is_the_search_in_one(bench, engine):
    whole = bench.search(bench.lane("whole", total=12, engine=engine))
    for total in (3, 4, 12):
        parts = bench.search(bench.lane("parts", total=total, engine=engine))
    assert [trial.values for trial in parts] == [trial.values for trial in whole]
    assert len(bench.executions()) == 12, "equal configurations are trained once, whichever family they belong to"


def test_a_finished_study_is_left_alone(bench):
    bench.search(bench.lane(total=3))
    before = bench.ledger.last_position()
    bench.search(bench.lane(total=3))
    assert bench.ledger.last_position() == before


def test_a_fit_that_the_vault_has_is_not_run_again(bench):
    bench.search(bench.lane("a", total=1))
    (trial,) = bench.search(bench.lane("b", total=1))
    assert trial.result.cached
    assert len(bench.executions()) == 1


def test_an_interrupted_search_gives_its_trials_back_and_goes_on(bench):
    class Interrupting(Silent):
        def trial(self, news):
            if news.name == "stub#0002":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.search(bench.lane(total=6), observer=Interrupting())
    assert "running" not in bench.ledger.counts(bench.lane().study.id)
    trials = bench.search(bench.lane(total=6))
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert len(bench.executions()) == len(set(bench.executions()))


@pytest.mark.parametrize(("fault", "code"), [("raise", "factory"), ("nonfinite", "nonfinite"), ("exit", "factory")])
def test_a_family_that_fails_three_times_in_a_row_stops_and_the_others_go_on(bench, fault, code):
    good, bad = bench.lane("good", total=5), bench.lane("bad", total=5, fixed={"fault": fault})
    trials = bench.search(good, bad)
    assert [t.state for t in trials if t.family == "good"] == ["complete"] * 5
    assert [(t.state, t.failure.code) for t in trials if t.family == "bad"] == [("failed", code)] * 3
    assert bench.lane("bad", total=5, fixed={"fault": fault}).open is False


def test_a_worker_that_dies_once_costs_one_retry(bench):
    (trial,) = bench.search(bench.lane(total=1, fixed={"fault": "kill once"}), executor=LocalExecutor)
    assert trial.state == "complete"
    assert len(bench.executions()) == 2
    ended = [event.state for _, _, event in bench.ledger.events(0) if event.kind == "trial.finished"]
    assert ended == ["lost", "complete"]


def test_a_trial_that_kills_its_worker_twice_has_failed(bench):
    (trial,) = bench.search(bench.lane(total=1, fixed={"fault": "kill"}), executor=LocalExecutor)
    assert (trial.state, trial.failure.code) == ("failed", "lost")
    assert "signal 9" in trial.failure.message


def test_a_deadline_stops_what_runs(bench):
    began = time.monotonic()
    trials = bench.search(bench.lane(total=50, fixed={"sleep": 0.05}), executor=LocalExecutor, seconds=4.0)
    assert time.monotonic() - began < 12.0
    assert 0 < len(trials) < 50
    assert {trial.state for trial in trials} <= {"complete", "queued"}
    assert all(trial.result is None for trial in trials if trial.state == "queued")


def test_what_a_deadline_ended_early_is_trained_whole_when_there_is_time(bench):
    hurried = bench.search(bench.lane(total=1, fixed={"sleep": 0.2}), executor=LocalExecutor, seconds=1.5)
    assert [trial.result.truncated for trial in hurried] == [True]
    trials = bench.search(bench.lane(total=3, fixed={"sleep": 0.0}))
    assert [trial.result.truncated for trial in trials] == [True, False, False]
    assert trials[1].values == trials[0].values != trials[2].values
    assert trials[1].result.fit_key != trials[0].result.fit_key


def test_a_deadline_that_has_passed_still_gives_something_to_deliver(bench):
    trials = bench.search(bench.lane("a", total=50), bench.lane("b", total=50), seconds=-1.0)
    assert [(trial.name, trial.state) for trial in trials] == [("a#0000", "complete")]


def test_time_is_shared_by_the_families(bench):
    slow, fast = bench.lane("slow", total=100, fixed={"sleep": 0.05}), bench.lane("fast", total=300)
    bench.search(slow, fast, executor=LocalExecutor, seconds=6.0)
    assert fast.done > 3 * slow.done > 0


def test_two_drivers_on_one_ledger_keep_the_budget(bench):
    lane, other = bench.lane(total=3), bench.lane(total=3)
    study = lane.study
    first = bench.ledger.claim(study, bench.sweep, 3)
    bench.search(other)
    assert bench.ledger.counts(study.id) == {"running": 1, "complete": 2}
    bench.ledger.lose(first, None)
    assert len(bench.search(bench.lane(total=3))) == 3
