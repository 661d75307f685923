"""KerasTuner's oracles as engines. Its import is slow: once, in the process that has Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workbench import registry
from workbench.errors import ConfigError
from workbench.models.hyperparameters import HyperParameters
from workbench.search.engine import Engine, EngineOptions, Outcome, Suggestion
from workbench.testing import EngineContract, awkward_space, bowl
from workbench.types import Space, Values

pytestmark = pytest.mark.keras


def make_engine(sampler: str, **options) -> Engine:
    found = {"direction": "minimize", "seed": 3, **options}
    return registry.resolve("engines", "keras_tuner")(EngineOptions(sampler=sampler, **found))


def small_space() -> Space:
    hp = HyperParameters()
    hp.Choice("kind", ["a", 1, True])
    with hp.name_scope("deep"):
        hp.Int("n", 1, 2)
        hp.Float("rate", 0.0, 0.2, step=0.1, parent_name="n", parent_values=[2])
    return hp.space


class OracleContract(EngineContract):
    sampler: str

    def make(self, options: EngineOptions) -> Engine:
        # The Gaussian process takes seconds a suggestion in so many dimensions: it has a test of its own.
        options = replace(options, sampler=self.sampler, startup=50, epochs=9)
        return registry.resolve("engines", "keras_tuner")(options)

    def test_what_runs_counts_and_the_order_of_endings_does_not(self):
        space, numbers = awkward_space(), range(1, 5)

        def ask_after(order) -> Suggestion | None:
            engine = self.make(EngineOptions("minimize", seed=5))
            asked = {number: engine.ask(number, space) for number in numbers}
            assert len({str(suggestion.values) for suggestion in asked.values()}) == len(numbers)
            for number in order:
                engine.tell(number, Outcome(asked[number], "complete", (bowl(asked[number].values),)), space)
            return engine.ask(5, space)

        assert ask_after([1, 2, 3]) == ask_after([3, 1, 2])


class TestBayesian(OracleContract):
    sampler = "auto"

    def test_running_trials_are_guessed_and_failed_ones_are_not_modelled(self):
        hp = HyperParameters()
        hp.Float("x", 0.0, 1.0)
        engine, resumed, found = (*(make_engine("bayesian", startup=4, direction="maximize") for _ in "ab"), [])
        for number in range(6):
            suggestion = engine.ask(number, hp.space)
            found.append(suggestion.values["x"])
            score = float("nan") if number == 4 else -((found[-1] - 0.3) ** 2)
            outcome = Outcome(suggestion, "complete", (score,))
            if number != 5:  # it runs on
                engine.tell(number, outcome, hp.space)
            if number < 5:
                resumed.tell(number, outcome, hp.space)
        assert resumed.ask(5, hp.space).values["x"] == found[5]
        found.append(engine.ask(6, hp.space).values["x"])
        assert len(set(found)) == len(found)
        assert found[4] != make_engine("random", direction="maximize").ask(4, hp.space).values["x"], "it is modelled"


class TestRandom(OracleContract):
    sampler = "random"


class TestGrid(OracleContract):
    sampler = "grid"

    def test_seeds_differ(self) -> None:
        """A grid has no chance in it."""
        space = awkward_space()
        left, right = (self.make(EngineOptions("minimize", seed=seed)).ask(1, space) for seed in (1, 2))
        assert left == right


class TestHyperband(OracleContract):
    sampler = "hyperband"

    def test_the_best_of_a_round_are_promoted_to_more_epochs(self):
        engine, space = make_engine("hyperband", epochs=9), awkward_space()
        trials: list[tuple[int | None, Values, float]] = []
        for number in range(13):
            suggestion = engine.ask(number, space)
            score = bowl(suggestion.values)
            trials.append((suggestion.epochs, suggestion.values, score))
            state = "pruned" if number == 0 else "complete"  # the pruned one would be no bad one
            scores = () if number == 0 else (score,)
            engine.tell(number, Outcome(suggestion, state, scores, steps=1, last=score), space)
        assert [epochs for epochs, _, _ in trials] == [1] * 9 + [3] * 3 + [None]
        first = sorted(trials[1:9], key=lambda trial: trial[2])
        assert [values for _, values, _ in trials[9:12]] == [values for _, values, _ in first[:3]]
        assert trials[12][1] == first[0][1]
        assert not any(Path.cwd().iterdir()), "oracles write nothing"


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_what_is_exhausted_suggests_nothing(sampler):
    engine, space, seen = make_engine(sampler), small_space(), []
    # Once by a person, and once by a family of which nobody here knows.
    engine.tell(-1, Outcome(Suggestion({"kind": True, "deep/n": 1}), "failed"), space)
    engine.tell(-2, Outcome(Suggestion({"other": 3.0}), "complete", (1.0,)), space)
    for number in range(20):
        suggestion = engine.ask(number, space)
        if suggestion is None:
            break
        seen.append(str(suggestion.values))
        engine.tell(number, Outcome(suggestion, "complete", (0.0,)), space)
    assert len(seen) == len(set(seen)) == 3 * 4 - 1
    assert str({"kind": 1, "deep/n": 2, "deep/rate": 0.2}) in seen
    assert engine.ask(20, space) is None
    assert engine.ask(21, Space()) is None


def test_what_it_cannot_do_is_said():
    with pytest.raises(ConfigError, match=r"no 'bayes'; it has auto.*bayesian"):
        make_engine("bayes")
    with pytest.raises(ConfigError, match="one objective"):
        make_engine("random", others=("minimize",))
