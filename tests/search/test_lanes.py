"""What a family's search does beside asking: screening, promotion, duplicates, warm starts, hours, hung trials."""

import pytest

from tests.search.bench import Telling
from workbench.config.models import RangeConfig, WarmStartConfig
from workbench.errors import ConfigError
from workbench.execution.local import LocalExecutor
from workbench.search.engine import Suggestion
from workbench.search.lane import Screening
from workbench.search.optuna_engine import OptunaEngine
from workbench.search.pruning import PrunerOptions, make_pruner
from workbench.search.random_engine import RandomEngine
from workbench.search.spaces import fitted, with_ranges
from workbench.search.warm_start import find_change, first_values
from workbench.types import Parameter, Screen, Space

SCREENING = Screening(Screen(splits=(0,)), promote=2)


def test_several_trials_run_at_once_and_the_budget_is_exact(bench):
    lane = bench.lane(total=11, fixed={"sleep": 0.01}, engine=OptunaEngine)
    trials = bench.search(lane, executor=LocalExecutor, workers=3)
    assert [(t.number, t.state) for t in trials] == [(n, "complete") for n in range(11)]
    assert len({str(t.values) for t in trials}) == 11
    assert len({t.attempt for t in trials}) == 11


def test_screened_trials_are_promoted_best_first_and_only_those_are_whole(bench):
    lane = bench.lane(total=6, screening=SCREENING)
    trials = bench.search(lane)
    assert {t.stage: t.state for t in trials} == {"screen": "screened", "promoted": "complete"}
    promoted = [t for t in trials if t.stage == "promoted"]
    scores = sorted(t.screening.score for t in trials)
    assert sorted(t.screening.score for t in promoted) == scores[:2]
    assert all(t.screening.screened and not t.result.screened for t in promoted)
    assert all(t.result is None for t in trials if t.stage == "screen")
    assert lane.done == 6
    assert lane.progress().screened == 4


def test_a_screened_search_goes_on_where_it_stopped(bench):
    whole = bench.search(bench.lane("whole", total=8, engine=OptunaEngine, screening=SCREENING))
    for total in (3, 8):
        parts = bench.search(bench.lane("parts", total=total, engine=OptunaEngine, screening=SCREENING))
    assert [t.values for t in parts] == [t.values for t in whole]
    before = bench.ledger.last_position()
    bench.search(bench.lane("parts", total=8, engine=OptunaEngine, screening=SCREENING))
    assert bench.ledger.last_position() == before


def test_a_promoted_trial_that_is_lost_is_promoted_again(bench):
    lane = bench.lane(total=3, screening=SCREENING)
    bench.search(lane)
    bench.search(bench.lane(total=4, screening=Screening(SCREENING.part, promote=1)))
    (last,) = [t for t in bench.ledger.trials(lane.study.id) if t.number == 3]
    claim = bench.ledger.promote(lane.study, bench.sweep, last.id)
    bench.ledger.lose(claim, None)
    trials = bench.search(bench.lane(total=4, screening=SCREENING))
    assert (trials[3].stage, trials[3].state) == ("promoted", "complete")


class Repeating(RandomEngine):
    """Always suggests the same."""

    def ask(self, number, space):  # noqa: ARG002
        return Suggestion({"x": 0.5, "y": 2})


def test_equal_configurations_cost_nothing(bench):
    trials = bench.search(bench.lane(total=5, engine=Repeating))
    assert [t.state for t in trials] == ["complete"] * 5
    assert len(bench.executions()) == 2
    assert [t.result.cached for t in trials] == [False, False, True, True, True]
    again = bench.search(bench.lane(total=6, engine=Repeating))
    assert again[5].result.cached


@pytest.mark.parametrize(("fault", "runs"), [("nonfinite", 1), ("hang", 2)])
def test_failures_of_the_configuration_are_not_repeated(bench, fault, runs):
    class Again(Repeating):
        def ask(self, number, space):  # noqa: ARG002
            return Suggestion({"x": 0.0, "y": 4, "fault": fault})

    lane = bench.lane(total=2, fixed={"fault": fault}, engine=Again, trial_seconds=0.5)
    trials = bench.search(lane, executor=LocalExecutor)
    assert [t.state for t in trials] == ["failed"] * 2
    assert len(bench.executions()) == runs


def test_a_trial_that_hangs_has_failed_and_the_others_go_on(bench):
    hung, fine = bench.lane("hung", total=1, fixed={"fault": "hang"}, trial_seconds=0.5), bench.lane("fine", total=2)
    trials = bench.search(hung, fine, executor=LocalExecutor)
    assert [(t.state, t.failure.code) for t in trials if t.family == "hung"] == [("failed", "timeout")]
    assert "search.trial_time" in trials[0].failure.message
    assert [t.state for t in trials if t.family == "fine"] == ["complete"] * 2


def test_a_limit_is_known_once_three_trials_are_complete(bench):
    lane = bench.lane(total=3)
    assert lane.limit("whole") is None
    bench.search(lane)
    assert lane.limit("whole") == 600.0
    assert lane.limit("screen") is None


class Stingy(RandomEngine):
    """Has three suggestions, and waits for the end of each."""

    def __init__(self, options):
        super().__init__(options)
        self.open = False

    def ask(self, number, space):
        if self.open or number > 3:
            return None
        self.open = True
        return super().ask(number, space)

    def tell(self, number, outcome, space):  # noqa: ARG002
        self.open = False


def test_an_engine_without_suggestions_ends_the_search_and_leaves_no_trial(bench):
    lane = bench.lane(total=9, engine=Stingy)
    trials = bench.search(lane, executor=LocalExecutor, workers=2)
    assert lane.dry
    assert [(t.number, t.state) for t in trials] == [(n, "complete") for n in range(4)]
    assert bench.ledger.counts(bench.lane().study.id) == {"complete": 4}


def test_what_is_enqueued_is_tried_first_once(bench):
    first = [{"x": 0.25, "y": 1}, {"x": 0.0, "y": 4}, {"x": 0.3, "y": 2}]
    trials = bench.search(bench.lane(total=4, enqueued=list(first)))
    assert [t.values for t in trials][:3] == [{"x": 0.0, "y": 4}, first[0], first[2]]


def test_hours_of_devices_end_a_family(bench):
    lane = bench.lane(total=50, fixed={"sleep": 0.02}, seconds_allowed=0.5)
    trials = bench.search(lane)
    assert 1 <= len(trials) < 10
    assert bench.ledger.spent(lane.study.id) == pytest.approx(lane.seconds, abs=0.3)
    spent = bench.ledger.spent(lane.study.id)
    assert len(bench.search(bench.lane(total=50, fixed={"sleep": 0.02}, seconds_allowed=0.5, spent=spent))) == len(
        trials
    )


def test_a_hopeless_trial_is_pruned_and_says_why(bench):
    judge = make_pruner(PrunerOptions("median", "minimize", {"keep": 1, "n_startup_trials": 9}))
    observer = Telling()
    lane = bench.lane(total=4, fixed={"sleep": 0.05}, pruner=judge, enqueued=[{"x": 0.3, "y": 2, "sleep": 0.05}])
    trials = bench.search(lane, executor=LocalExecutor, observer=observer)
    pruned = [t for t in trials if t.state == "pruned"]
    assert pruned
    assert all(t.result is None for t in pruned)
    assert lane.progress().pruned == len(pruned)
    messages = [news.message for news in observer.news if news.state == "pruned"]
    assert all("split 2, epoch" in message and "than the best" in message for message in messages)
    resumed = bench.lane(total=4, fixed={"sleep": 0.05}, pruner=judge)
    assert resumed.progress() == lane.progress()


def test_an_engine_of_several_drivers_learns_what_the_others_found(bench):
    lane, other = bench.lane(total=4, engine=OptunaEngine), bench.lane(total=2, engine=OptunaEngine)
    bench.search(other)
    told = []
    tell = lane.engine.tell
    lane.engine.tell = lambda number, outcome, space: (told.append(number), tell(number, outcome, space))
    bench.search(lane)
    assert told == [0, 1, 2, 3]


SPACE = Space(
    parameters=(
        Parameter(name="units", kind="int", low=8, high=64, step=8, default=16),
        Parameter(name="act", kind="choice", default="relu", choices=("relu", "tanh")),
        Parameter(name="version", kind="fixed", default=1),
    )
)


def test_a_configuration_can_change_ranges():
    changed = with_ranges(SPACE, {"units": RangeConfig(max=128), "act": RangeConfig(choices=("relu", "gelu"))}, "mlp")
    units, act, version = changed.parameters
    assert (units.low, units.high, units.step, units.default) == (8, 128, 8, 16)
    assert (act.choices, act.default) == (("relu", "gelu"), "relu")
    assert version == SPACE.parameters[2]
    assert fitted(changed, {"units": 128, "act": "tanh", "gone": 1}) == {"units": 128, "act": "relu", "version": 1}


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("unit", {"max": 8}, "no hyperparameter 'unit'.*Did you mean 'units'"),
        ("units", {"choices": (1, 2)}, "min, max, step and default can be changed"),
        ("act", {"max": 3}, "choices and default can be changed"),
        ("units", {"max": 2}, "units"),
        ("act", {"default": "selu"}, "'act'.*expected 'relu' or 'tanh'"),
        ("version", {"default": 2}, "nothing can be changed"),
    ],
)
def test_ranges_that_cannot_be(name, entry, message):
    with pytest.raises(ConfigError, match=f"family 'mlp', space: .*{message}"):
        with_ranges(SPACE, {name: RangeConfig(**entry)}, "mlp")


def test_warm_starts_come_from_the_configuration_other_experiments_and_the_forerunner(bench):
    old = bench.lane(total=5)
    best = sorted(bench.search(old), key=lambda t: t.result.score)
    elsewhere = bench.ledger.open_study("other", "elsewhere", "stub")
    study = bench.ledger.open_study("new", "e", "stub", {**old.study.ground, "code": "2"})
    change = find_change(bench.ledger, "e", study)
    assert "code has changed since its last 5 trials" in str(change)
    assert find_change(bench.ledger, "e", old.study) is None
    assert find_change(bench.ledger, "elsewhere", elsewhere) is None
    given = {"enqueue": [{"x": 0.5}], "experiment": "elsewhere"}
    asked = [WarmStartConfig(experiment="e", best=1)]
    values = first_values(bench.ledger, study, old.space, "minimize", warm_start=asked, change=change, **given)
    assert values == [{"x": 0.5, "y": 4}, *[trial.values for trial in best[:3]]]
    held = bench.ledger.open_study("held", "e", "stub", {**old.study.ground, "holdout": "1"})
    change, own = find_change(bench.ledger, "e", held), [WarmStartConfig(best=1)]
    assert change.parts == ("holdout",)
    given = {"enqueue": [], "experiment": "e", "change": change}
    assert first_values(bench.ledger, held, old.space, "minimize", warm_start=own, **given) == []
    with pytest.raises(ConfigError, match=r"family 'stub', enqueue: .*'z'"):
        first_values(
            *(bench.ledger, study, old.space, "minimize"),
            enqueue=[{"z": 1}],
            warm_start=(),
            experiment="e",
            change=None,
        )
