import math
import random
import re
from collections import Counter

import pytest

from workbench.errors import ConfigError
from workbench.search.pruning import NAMES, PrunerOptions, make_pruner

SPLITS, EPOCHS = 5, 10
OPTIONS = {
    "percentile": {"percentile": 60.0},
    "patient": {"patience": 1, "wrapped": {"name": "median", "n_startup_trials": 3}},
    "threshold": {"lower": -3.0, "upper": 3.0},
}


def pruner(name, direction="minimize", **options):
    return make_pruner(PrunerOptions(name, direction, {**OPTIONS.get(name, {}), **options}))


def curve(level, *, falling=True):
    """Values of one split: they come down to the level, or rise from it."""
    return [level + (1.0 / epoch if falling else 0.05 * epoch) for epoch in range(1, EPOCHS + 1)]


def played(judge, number, splits, *, sign=1.0, together=1):
    """Report a trial, by epochs if its splits train together; return where it was stopped, if it was, and end it."""
    points = [(s, e, sign * v) for s, values in enumerate(splits) for e, v in enumerate(values, start=1)]
    if together > 1:
        points.sort(key=lambda point: point[1])
    for split, epoch, value in points:
        if judge.report(number, split, epoch, value, together):
            judge.end(number, "pruned")
            return split, epoch
    judge.end(number, "complete")
    return None


def some(judge, numbers, **how):
    """Play trials that are much alike; none is judged, so that all count."""
    for number in numbers:
        level = 1.0 + 0.01 * math.sin(number)
        points = [[how.get("sign", 1.0) * value for value in curve(level + 0.1 * split)] for split in range(SPLITS)]
        reports = [(s, e, v) for s, values in enumerate(points) for e, v in enumerate(values, start=1)]
        judge.restore(number, reports, "complete", fused=how.get("together", 1) > 1)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("name", NAMES)
def test_a_hopeless_trial_is_stopped_and_a_good_one_is_not(name, direction):
    judge, sign = pruner(name, direction), 1.0 if direction == "minimize" else -1.0
    some(judge, range(12), sign=sign)
    bad = [curve(5.0 + 0.1 * split + 0.01 * split**2, falling=False) for split in range(SPLITS)]
    good = [curve(0.5 + 0.1 * split) for split in range(SPLITS)]
    assert (played(judge, 12, bad, sign=sign) is None) == (name == "none")
    assert played(judge, 13, good, sign=sign) is None


@pytest.mark.parametrize(
    ("name", "options", "stopped"),
    [
        ("wilcoxon", {}, (3, 1)),  # the smallest p of three splits is 0.125
        ("wilcoxon", {"p_threshold": 0.1}, (4, 1)),
        ("wilcoxon", {"p_threshold": 0.3}, (2, 1)),
        ("median", {"n_startup_trials": 99}, (2, 1)),  # the t-test, as the losses are much alike
        ("threshold", {}, None),
    ],
)
def test_ended_splits_are_compared_with_the_best_complete_trial(name, options, stopped):
    judge = pruner(name, **options)
    some(judge, range(3))
    assert played(judge, 3, [curve(1.3 + 0.1 * s + 0.001 * s**2) for s in range(SPLITS)]) == stopped
    assert played(judge, 4, [curve(1.0 + 0.1 * s + 0.3 * (-1) ** s) for s in range(SPLITS)]) is None


def test_pruned_and_failed_trials_and_the_trial_itself_are_not_compared_with():
    judge = pruner("wilcoxon", keep=1)
    for number, state in enumerate(["pruned", "failed"]):
        judge.restore(number, [(split, 1, 0.0) for split in range(SPLITS)], state)
    assert played(judge, 2, [curve(1.0 + s) for s in range(SPLITS)]) is None
    assert played(judge, 3, [curve(2.0 + s) for s in range(SPLITS)]) == (3, 1)


@pytest.mark.parametrize("name", ["median", "successive_halving", "threshold"])
def test_splits_at_once_are_judged_by_their_mean(name):
    judge = pruner(name, **({"upper": 1.0} if name == "threshold" else {}))
    some(judge, range(12), together=SPLITS)
    bad, good = [[0.4] * EPOCHS for _ in range(SPLITS)], [[0.4] * EPOCHS for _ in range(SPLITS)]
    bad[2] = [50.0] * EPOCHS
    good[2] = [-1.0] * EPOCHS
    split, _ = played(judge, 12, bad, together=SPLITS)
    assert split == SPLITS - 1, "judged before all splits had reported the epoch"
    assert played(judge, 13, good, together=SPLITS) is None


def test_a_split_that_has_stopped_counts_with_its_last_value():
    judge = pruner("threshold", upper=1.0)
    for epoch, live in ((1, (0, 1)), (2, (1,)), (3, (1,))):
        for split in live:
            value = 0.9 if split == 0 else 0.9 + 0.1 * epoch
            stopped = judge.report(0, split, epoch, value, together=len(live))
            assert bool(stopped) == (epoch == 3), "its mean is (0.9 + 1.2) / 2 then"


@pytest.mark.parametrize("name", ["median", "successive_halving", "hyperband", "patient"])
def test_a_resumed_search_judges_splits_at_once_as_one_that_was_not_interrupted(name):
    """Splits stop at different epochs, and the ledger gives what they reported by split, not by epoch."""
    whole, resumed = pruner(name), pruner(name)
    expected = [(number, *at_once(whole, number)) for number in range(60)]
    for number, points, stopped in expected[:25]:
        resumed.restore(number, sorted(points), "pruned" if stopped else "complete", fused=True)
    rest = [(number, *at_once(resumed, number)) for number in range(25, 60)]
    assert rest == expected[25:]
    assert any(stopped for *_, stopped in rest)


def at_once(judge, number):
    """Play a random trial whose splits train at once; return what was reported, and whether it was stopped."""
    dice = random.Random(number)
    level, ends, points = dice.uniform(0.5, 2.0), [dice.randint(2, EPOCHS) for _ in range(SPLITS)], []
    for epoch in range(1, EPOCHS + 1):
        live = [split for split in range(SPLITS) if epoch <= ends[split]]
        for split in live:
            points.append((split, epoch, level + 1.0 / epoch + dice.gauss(0.0, 0.1)))
            if judge.report(number, *points[-1], together=len(live)):
                judge.end(number, "pruned")
                return points, True
    judge.end(number, "complete")
    return points, False


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_what_is_not_finite_prunes_nobody(name):
    judge = pruner(name)
    some(judge, range(12))
    undefined = [[math.nan, math.inf, -math.inf] for _ in range(SPLITS)]
    assert played(judge, 12, undefined) is None
    assert played(judge, 13, undefined, together=SPLITS) is None
    gaps = [[math.nan, *curve(0.5)[1:]] for _ in range(SPLITS)]
    assert played(judge, 14, gaps) is None
    assert played(judge, 15, [curve(0.45) for _ in range(SPLITS)]) is None


def test_a_trial_that_begins_anew_is_judged_by_its_new_reports():
    judge = pruner("median")
    some(judge, range(12))
    for epoch in range(1, EPOCHS + 1):
        assert not judge.report(12, 0, epoch, 0.1)
    assert judge.report(12, 1, 1, 9.0)
    judge.forget(12)
    assert judge.report(12, 0, 1, 9.0)


def search(judge, numbers, log):
    """Play random trials one after another, and note what each reported and where it was stopped."""
    for number in numbers:
        dice = random.Random(number)
        level = dice.uniform(0.5, 2.0)
        splits = [[v + dice.gauss(0.0, 0.1) for v in curve(level)] for _ in range(SPLITS)]
        stopped = played(judge, number, splits)
        points = [(s, e, v) for s, values in enumerate(splits) for e, v in enumerate(values, start=1)]
        until = len(points) if stopped is None else stopped[0] * EPOCHS + stopped[1]
        log.append((number, points[:until], stopped))


@pytest.mark.parametrize("name", ["median", "successive_halving", "hyperband", "patient", "wilcoxon"])
def test_a_resumed_search_judges_as_one_that_was_not_interrupted(name):
    numbers = [number for number in range(60) if number % 7 != 3]
    whole, rest = [], []
    search(pruner(name), numbers, whole)
    resumed = pruner(name)
    for number, points, stopped in whole[:25]:
        resumed.restore(number, points, "complete" if stopped is None else "pruned")
    search(resumed, numbers[25:], rest)
    assert rest == whole[25:]
    assert 0 < sum(stopped is None for *_, stopped in whole) < len(whole)


def test_a_bracket_of_hyperband_hangs_on_the_number_and_not_on_what_is_known():
    def rungs(numbers):
        judge = pruner("hyperband", max_resource=EPOCHS)
        some(judge, numbers)
        return [played(judge, number, [curve(50.0 + number)]) for number in range(1000, 1020)]

    dense, gaps = rungs(range(60)), rungs(range(0, 600, 10))
    assert dense == gaps
    assert set(Counter(dense)) == {(0, 1), (0, 3), (0, 9)}


def test_only_recent_trials_are_compared_with():
    judge = pruner("median")
    judge.restore(0, [(0, 1, 5.0)], "complete")
    for number in range(1, 400):
        judge.restore(number, [(0, 1, 1.0 if number < 190 else 3.0)], "complete")
    assert not judge.report(400, 0, 1, 2.9)
    assert judge.report(401, 0, 1, 3.1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("medain", {}, "there is no pruner 'medain'; there are none, median, .* Did you mean 'median'?"),
        ("none", {"percentile": 1.0}, "none has no options, got percentile"),
        ("median", {"n_startup": 3}, "no option 'n_startup'; it has n_startup_trials, .* Did you mean 'n_startup_"),
        ("median", {"n_startup_trials": "many"}, "median: n_startup_trials: expected int, got 'many'"),
        ("median", {"n_startup_trials": -1}, "median: .*cannot be negative"),
        ("percentile", {"percentile": None}, "percentile: percentile: expected float, got None"),
        ("patient", {}, "patient needs the option 'patience'"),
        ("patient", {"patience": 1, "wraped": "median"}, "Did you mean 'wrapped'?"),
        ("patient", {"patience": 1, "wrapped": "meridian"}, "patient can wrap median, .* Did you mean 'median'?"),
        ("hyperband", {"max_resource": 0.5}, r"max_resource: expected str \| int, got 0.5"),
        ("threshold", {}, "Either lower or upper must be specified"),
    ],
)
def test_a_pruner_that_cannot_be_made_is_explained(name, options, message):
    with pytest.raises(ConfigError) as caught:
        make_pruner(PrunerOptions(name, "minimize", options))
    assert re.search(message.replace("?", r"\?"), str(caught.value))


def test_a_percentile_is_needed():
    with pytest.raises(ConfigError, match="percentile needs the option 'percentile'"):
        make_pruner(PrunerOptions("percentile", "minimize"))


def test_what_is_behind_the_best_alone_is_kept_for_the_blend():
    judge = pruner("wilcoxon")
    for number, level in enumerate([1.0, 2.0]):
        assert played(judge, number, [curve(level + s) for s in range(SPLITS)]) is None
    assert played(judge, 2, [curve(3.0 + s) for s in range(SPLITS)]) is None
    assert played(judge, 3, [curve(2.5 + s) for s in range(SPLITS)]) is None
    assert played(judge, 4, [curve(3.5 + s) for s in range(SPLITS)]) == (3, 1)
    assert "third best" in told(judge, 5)


def told(judge, number):
    """Return why a bad trial is stopped."""
    points = [(s, e, 9.0 + s) for s in range(SPLITS) for e in range(1, EPOCHS + 1)]
    return next(why for s, e, value in points if (why := judge.report(number, s, e, value)))


@pytest.mark.parametrize("keep", [0, 1.5, True])
def test_keep_is_a_number_of_trials(keep):
    with pytest.raises(ConfigError, match="keep: expected a number"):
        pruner("wilcoxon", keep=keep)


@pytest.mark.parametrize(
    "options", [{"max_resource": 0}, {"max_resource": -5}, {"min_resource": 0}, {"min_resource": 50, "max_resource": 5}]
)
def test_options_that_optuna_looks_at_too_late_are_refused_at_once(options):
    with pytest.raises(ConfigError, match=r"search\.pruner: hyperband: "):
        pruner("hyperband", **options)
