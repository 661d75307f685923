import importlib.util

import optuna
import pytest

from workbench.errors import ConfigError
from workbench.models.hyperparameters import HyperParameters
from workbench.search.engine import EngineOptions, Outcome, Suggestion
from workbench.search.grid import Grid
from workbench.search.samplers import make_engine
from workbench.search.told_study import ToldStudy
from workbench.testing import awkward_space


def engine(sampler, directions=("minimize",), seed=1, startup=3):
    return make_engine(EngineOptions(directions[0], seed, startup, sampler, directions[1:]))


def conditional_space():
    hp = HyperParameters()
    hp.Choice("kind", ["a", 1, True])
    with hp.conditional_scope("kind", ["a"]):
        hp.Int("layers", 1, 2)
        with hp.conditional_scope("layers", [2]):
            hp.Float("rate", 0.0, 0.5)
    hp.Boolean("norm")
    return hp.space


def test_a_grid_counts_ranks_and_ends():
    space = conditional_space()
    grid = Grid(space)
    listed = [grid.values(rank) for rank in range(grid.size)]
    # Kind 'a' has one layer, or two with ten rates; the others have nothing below them.
    assert grid.size == (1 + 10 + 1 + 1) * 2 == len({str(values) for values in listed})
    assert [grid.rank(values) for values in listed] == list(range(grid.size))
    assert grid.rank({"kind": "b", "norm": True}) is None
    assert Grid(awkward_space()).size == 10 * 10 * 8 * 5 * 6 * 2 * (1 + 10)


def test_grid_search_tries_each_configuration_once_also_when_it_is_resumed():
    space, first, resumed = conditional_space(), engine("grid"), engine("grid")
    by_hand = Suggestion({"kind": 1, "norm": False})
    seen = [by_hand.values]
    for each in (first, resumed):
        each.tell(-1, Outcome(by_hand, "complete", (0.0,)), space)
    for number in range(1, 12):
        suggestion = first.ask(number, space)
        seen.append(suggestion.values)
        resumed.tell(number, Outcome(suggestion, "failed"), space)
    while (suggestion := resumed.ask(len(seen), space)) is not None:
        seen.append(suggestion.values)
    assert len(seen) == len({str(values) for values in seen}) == 26
    assert seen[1:] != [Grid(space).values(rank) for rank in range(1, 26)], "in a drawn order"


def test_sobol_points_fill_a_range_evenly():
    hp = HyperParameters()
    hp.Float("lr", 1e-4, 1.0, sampling="log")
    points = [engine("qmc").ask(number, hp.space).values["lr"] for number in range(16)]
    assert [sum(10**-e <= p < 10 ** (1 - e) for p in points) for e in (1, 2, 3, 4)] == [4, 4, 4, 4]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_a_wider_space_keeps_old_trials(sampler):
    def space(choices, high):
        hp = HyperParameters()
        hp.Choice("kind", choices)
        hp.Float("x", 0.0, high)
        hp.Int("n", 1, 5)
        return hp.space

    old, wide = space(["a", "b"], 1.0), space(["a", "b", "c"], 4.0)
    search = engine(sampler)
    for number in range(5):
        suggestion = search.ask(number, old)
        search.tell(number, Outcome(suggestion, "complete", (float(number),)), old)
    for number in range(5, 30):
        suggestion = search.ask(number, wide)
        search.tell(number, Outcome(suggestion, "complete", (abs(suggestion.values["x"] - 3.0),)), wide)
    trials = search._study.study.trials
    assert len(trials) == 30
    assert all(len(trial.params) == 3 and trial.distributions["x"].high == 4.0 for trial in trials)
    assert {trial.params["kind"] for trial in trials} == {"a", "b", "c"}


def test_outcomes_are_told_as_optuna_knows_them():
    space = awkward_space()
    values = Suggestion(space.defaults())
    outcomes = [
        (Outcome(values, "complete", (1.5,)), optuna.trial.TrialState.COMPLETE),
        (Outcome(values, "pruned", steps=7, last=2.5), optuna.trial.TrialState.PRUNED),
        (Outcome(values, "pruned"), optuna.trial.TrialState.PRUNED),
        (Outcome(values, "failed"), optuna.trial.TrialState.FAIL),
        (Outcome(values, "complete", (float("nan"),)), optuna.trial.TrialState.FAIL),
        (Outcome(values, "complete", (float("inf"),)), optuna.trial.TrialState.FAIL),
    ]
    restored, going = (ToldStudy(("minimize",), space) for _ in "ab")
    for number, (outcome, _) in enumerate(outcomes):
        restored.add(number, outcome)
        going.ask_again(number, values)
        going.tell(number, outcome)
    for told in (restored, going):
        trials = told.study.trials
        assert [trial.state for trial in trials] == [state for _, state in outcomes]
        assert [trial.value for trial in trials[:2]] == [1.5, 2.5]
        assert trials[1].intermediate_values == {7: 2.5}
        assert all(trial.params["width"] == 0 for trial in trials), "by its place"


@pytest.mark.parametrize("sampler", ["auto", "tpe"])
def test_several_objectives(sampler):
    def search(resumed_at=None):
        found, space = [], awkward_space()
        search = engine(sampler, ("minimize", "maximize"), startup=5)
        for number in range(48 if sampler == "auto" else 14):
            if number == resumed_at:
                search = engine(sampler, ("minimize", "maximize"), startup=5)
                for earlier, outcome in enumerate(found):
                    search.tell(earlier, outcome, space)
            suggestion = search.ask(number, space)
            values = suggestion.values
            scores = (float(values["lr"]), float(values["depth"])) if number % 6 else (1.0,)
            found.append(Outcome(suggestion, "complete", scores))
            search.tell(number, found[-1], space)
        return found

    whole = search()
    assert whole == search(resumed_at=len(whole) - 4)
    assert ("nsga2" in whole[-1].suggestion.state) == (sampler == "auto")
    if sampler == "auto":
        assert whole[-1].suggestion.state == {"nsga2": 1}, "twenty of the first generation are complete"


def test_what_a_sampler_cannot_do_is_said():
    with pytest.raises(ConfigError, match=r"no sampler is called 'tep'.*Did you mean 'tpe'"):
        engine("tep")
    with pytest.raises(ConfigError, match=r"'cmaes' has one objective, and there are 2; .* tpe, nsga2"):
        engine("cmaes", ("minimize", "minimize"))
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(ConfigError, match=r"needs PyTorch: pip install 'workbench\[gp\]'"):
            engine("gp")
