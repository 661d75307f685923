"""How much each family may have: totals, hours, and whether anything is left; what a configuration asks in vain."""

import pytest

from workbench.config.models import FamilyConfig, PrunerConfig, SearchConfig, WarmStartConfig
from workbench.errors import ConfigError
from workbench.experiment import Experiment
from workbench.search.progress import Silent
from workbench.search.warm_start import first_values
from workbench.search_budget import _most, _totals, closed, has_work, resolve_budget
from workbench.search_stage import open_search
from workbench.types import Parameter, Space
from workbench.workspace import open_workspace

FAMILIES = [FamilyConfig(name=name) for name in ("dummy", "linear", "mlp")]


def totals(fixed=(), own=None, **search):
    families = [family.model_copy(update={"trials": (own or {}).get(family.name)}) for family in FAMILIES]
    return _totals(families, SearchConfig(**search), set(fixed))


def test_trials_in_all_are_exact_once_it_is_known_who_has_nothing_to_search():
    assert totals(trials=7) == {"dummy": 7, "linear": 7, "mlp": 7}
    assert totals(trials_in_all=8) == {"dummy": 3, "linear": 3, "mlp": 2}
    assert totals({"dummy"}, trials_in_all=8) == {"dummy": 1, "linear": 4, "mlp": 3}
    assert totals({"dummy"}, {"mlp": 2, "dummy": 5}, trials_in_all=8) == {"dummy": 1, "linear": 5, "mlp": 2}
    with pytest.raises(ConfigError, match="1 trials are left for 2 families"):
        totals({"dummy"}, trials_in_all=2)
    with pytest.raises(ValueError, match="an objective is there twice: score, score"):
        SearchConfig(objectives=("score", "score"))


@pytest.fixture
def experiment(small_table):
    def made(**search):
        return Experiment(
            name="budget",
            root=small_table,
            train="train.csv",
            target="y",
            metric="rmse",
            families=["lightgbm"],
            search={"trials": 4, "sampler": "random", **search},
            training={"workers": 1},
        )

    return made


class Heard(Silent):
    def __init__(self):
        self.said = []

    def notice(self, text):
        self.said.append(text)


def searched(experiment, heard):
    with open_workspace(experiment) as workspace:
        budget = resolve_budget(workspace, None, 0, None)
        if has_work(workspace, budget):
            with open_search(workspace, budget, heard, "tests.stub_runner:run") as search:
                search.run(workspace.ledger.open_sweep("budget"))
    with open_workspace(experiment) as workspace:
        counts = workspace.ledger.counts(workspace.studies[0].id)
        return counts, has_work(workspace, resolve_budget(workspace, None, 0, None))


def test_a_screened_study_is_done_and_has_work_when_more_is_asked_for(experiment):
    screen = {"splits": [0], "promote": 1}
    heard = Heard()
    warm = [{"experiment": "budgett"}]
    asked = experiment(screen=screen, objectives=["fit_s", "score"], sampler="random", pruner="median", warm_start=warm)
    assert searched(asked, heard) == ({"screened": 3, "complete": 1}, False)
    assert any("the ledger has no experiment 'budgett'" in text for text in heard.said)
    assert any("search.pruner is not used" in text for text in heard.said)
    assert searched(experiment(screen={**screen, "promote": 2}), heard) == ({"screened": 2, "complete": 2}, False)
    hours = experiment(screen=screen, trials=50, device_hours=1e-9)
    with open_workspace(hours) as workspace:
        (why,) = closed(workspace, resolve_budget(workspace, None, 0, None))
        assert "lightgbm: its hours are used up" in why
    assert searched(hours, heard) == ({"screened": 2, "complete": 2}, False), "its hours are used up"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"screen": {"splits": [5]}}, "there is no split 5; the fold plan has 5"),
        ({"pruner": "medain"}, "Did you mean 'median'"),
        (
            {"pruner": PrunerConfig(name="nope"), "objectives": ["score", "fit_s"], "sampler": "nsga2"},
            "no pruner 'nope'",
        ),
        ({"objectives": ["score", "fit_s"], "sampler": "gp"}, "'gp' has one objective"),
    ],
)
def test_what_there_cannot_be_is_told_before_anything_is_described(experiment, search, message):
    class Describing(Silent):
        def phase(self, text):
            raise AssertionError(text)

    with open_workspace(experiment(**search)) as workspace:
        budget = resolve_budget(workspace, None, 0, None)
        with (
            pytest.raises(ConfigError, match=message),
            open_search(workspace, budget, Describing(), "tests.stub_runner:run"),
        ):
            pass


def test_a_warm_start_ranks_each_study_by_its_own_metric(bench):
    old = bench.lane(total=5)
    trials = sorted(bench.search(old), key=lambda t: t.result.score)
    study = bench.ledger.open_study("new", "f", "stub")
    told = {"enqueue": [], "experiment": "f", "change": None}
    warm = [WarmStartConfig(experiment="e", best=2)]
    found = first_values(bench.ledger, study, old.space, "maximize", warm_start=warm, **told)
    assert found == [trial.values for trial in trials[:2]], "e's rmse is minimised, whatever f's metric is"


def test_a_grid_has_an_end(experiment):
    three = Space(parameters=(Parameter(name="n", kind="choice", default=1, choices=(1, 2, 3)),))
    for sampler, most, reasons in (("grid", 3, ["lightgbm: its grid of 3 is used up"]), ("tpe", 4, [])):
        with open_workspace(experiment(sampler=sampler)) as workspace:
            workspace.ledger.set_space(workspace.studies[0].id, three)
        with open_workspace(experiment(sampler=sampler)) as workspace:
            assert _most(workspace, workspace.studies[0], 4) == most
            said = closed(workspace, resolve_budget(workspace, None, 0, None))
            assert [text.partition(";")[0] for text in said] == reasons
