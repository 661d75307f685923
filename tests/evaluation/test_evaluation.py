"""Ideas beside their baselines, on a runner that needs no training."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.evaluation.conftest import RUNNER, Desk
from workbench.config.models import ExperimentConfig
from workbench.errors import ConfigError, FactoryError
from workbench.evaluation import parse_values
from workbench.evaluation.bench import open_bench
from workbench.evaluation.selection import find_family
from workbench.experiment import Experiment
from workbench.search.engine import EngineOptions
from workbench.search.progress import Silent
from workbench.search.random_engine import RandomEngine
from workbench.search_budget import Budget, has_work
from workbench.search_stage import open_search
from workbench.seeds import derive_seed
from workbench.workspace import open_workspace


def test_a_real_improvement_is_better_and_a_useless_one_noise(desk):
    found = desk.compare(values={"lr": 0.1}, note="faster")
    assert (found.verdict, found.baseline, found.candidate) == ("better", "lightgbm#0000", "lightgbm#0001")
    assert found.difference == pytest.approx(-0.2, abs=0.05)
    assert (found.note, found.metric, found.direction) == ("faster", "rmse", "minimize")
    assert "better: the difference is" in repr(found)
    useless = desk.compare(values={"norm": "layer", "scale": True})
    assert useless.verdict == "noise"
    assert "--set folds.repeats=3" in useless.reason


def test_a_seed_that_changes_nothing_is_trained_once_and_noisy_seeds_once_per_baseline(desk):
    quiet = desk.compare("lightgbm", values={"lr": 0.1})
    assert (quiet.seed_noise, len(quiet.seed_scores)) == (0.0, 2)
    loud = desk.compare("xgboost", values={"lr": 0.1})
    assert len(loud.seed_scores) == 4
    assert loud.seed_noise > 0.1
    assert loud.verdict == "noise"
    assert "other seeds alone change the score" in loud.reason
    before = len(desk.executions())
    again = desk.compare("xgboost", values={"lr": 0.2})
    assert again.seed_scores == loud.seed_scores
    assert len(desk.executions()) == before + 1
    assert {e["family"] for e in desk.executions() if "~" in e["family"]} == {
        "lightgbm~seed1",
        *(f"xgboost~seed{number}" for number in (1, 2, 3)),
    }


def test_the_experiments_ranges_are_those_of_tries_and_of_other_seeds(folder):
    family = "{name: lightgbm, space: {depth: {max: 20}}}"
    text = (folder / "experiment.yaml").read_text().replace("lightgbm", family)
    (folder / "experiment.yaml").write_text(text)
    with (
        open_workspace(Experiment.from_folder(folder)) as workspace,
        open_bench(workspace, Silent(), RUNNER) as bench,
    ):
        desk = Desk(workspace, bench)
        desk.compare(values={"depth": 20})
        desk.compare(values={"lr": 0.1}, against="lightgbm#0001")
    assert [e["values"]["depth"] for e in desk.executions() if "~" in e["family"]] == [4, 20]


def test_what_was_evaluated_is_not_trained_again(desk):
    first = desk.compare(values={"lr": 0.1}, note="a")
    before = len(desk.executions())
    second = desk.compare(values={"lr": 0.1}, note="b")
    assert second == first.model_copy(update={"note": "b"})
    assert desk.bench.observer.notices == ["already evaluated as lightgbm#0001"]
    assert len(desk.executions()) == before


def test_a_candidate_goes_on_from_the_trial_that_it_is_compared_with(desk):
    desk.compare(values={"lr": 0.1})
    found = desk.compare(values={"depth": 6}, against="lightgbm#0001")
    assert found.baseline == "lightgbm#0001"
    (trial,) = [t for t in desk.workspace.trials() if t.name == found.candidate]
    assert trial.values == {"lr": 0.1, "depth": 6, "norm": "none"}
    other = desk.compare("xgboost", values={"depth": 6}, against="lightgbm#0001")
    (trial,) = [t for t in desk.workspace.trials() if t.name == other.candidate]
    assert trial.values == {"lr": 0.05, "depth": 6, "norm": "none"}


def test_a_family_as_it_is_is_compared_with_the_best_of_the_others(desk):
    with pytest.raises(ConfigError, match="lightgbm as it is has nothing to be compared with"):
        desk.compare()
    desk.compare(values={"lr": 0.1})
    assert desk.compare("factories:ridge").baseline == "lightgbm#0001"
    assert desk.compare("xgboost").baseline == "lightgbm#0001"


def test_tries_leave_the_search_as_it_is_and_are_candidates_of_the_blend(desk):
    desk.compare(values={"lr": 0.1}, note="faster")
    workspace = desk.workspace
    budget = Budget({"dummy": 1, "lightgbm": 3, "xgboost": 1})
    assert has_work(workspace, budget)
    with open_search(workspace, budget, Silent(), RUNNER) as search:
        search.run(desk.sweep)
    assert not has_work(replace(workspace), budget)  # it knows the spaces now
    trials = [trial for trial in workspace.trials() if trial.family == "lightgbm"]
    assert [(t.number, t.origin, t.note) for t in trials] == [
        (0, "try", "baseline of a try"),
        (1, "try", "faster"),
        (2, "search", ""),
        (3, "search", ""),
        (4, "search", ""),
    ]
    space = desk.bench.space(workspace.families[1])
    engine = RandomEngine(EngineOptions("minimize", derive_seed(0, "lightgbm", "engine")))
    assert [t.values for t in trials[2:]] == [
        space.defaults(),
        engine.ask(1, space).values,
        engine.ask(2, space).values,
    ]
    (started,) = [e for _, _, e in desk.ledger.events(0) if e.kind == "trial.started" and e.note == "faster"]
    assert (started.origin, started.number) == ("try", 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": {"dept": 4}}, "lightgbm has no hyperparameter 'dept'; it has lr, .* Did you mean 'depth'"),
        ({"values": {"lr": 3}}, "expected lr as float from 0.01 to 0.3, log, default 0.05; got 3"),
        ({"values": {"norm": "batch"}}, "expected norm as choice of 'none' or 'layer'; got 'batch'"),
        ({"values": {"scale": True}}, "'scale' is in use only with norm = layer"),
        ({"values": {"lr": 0.05}}, "that is the baseline itself"),
        ({"family": "lihgtgbm"}, "no family is called 'lihgtgbm'; there are dummy, .* Did you mean 'lightgbm'"),
        ({"against": "lightgbm"}, "'lightgbm' is no trial's name; expected FAMILY#NUMBER"),
        ({"against": "lightgbm#0007"}, "there is no trial 'lightgbm#0007' .*; no trial of lightgbm is complete"),
        ({"features": "v9"}, "there is no features.py in"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(desk, given, message):
    with pytest.raises((ConfigError, FactoryError), match=message):
        desk.compare(**given)
    assert desk.executions() == []


def test_a_candidate_that_fails_is_told_and_can_be_tried_again(desk):
    for number in (1, 2):
        with pytest.raises(FactoryError, match=rf"lightgbm#000{number} failed \(factory\): .*too deep"):
            desk.compare(values={"depth": 8})
    with pytest.raises(ConfigError, match="lightgbm#0001 is failed; only a complete trial"):
        desk.compare(values={"lr": 0.1}, against="lightgbm#0001")


def test_values_are_parsed_as_what_they_look_like():
    parsed = parse_values(["lr=1e-3", "depth=6", "norm=layer", "flag=True", "name = a=b"])
    assert parsed == {"lr": 0.001, "depth": 6, "norm": "layer", "flag": True, "name": "a=b"}
    for bad in ("lr", "=3", "lr="):
        with pytest.raises(ConfigError, match="expected NAME=VALUE"):
            parse_values([bad])
    with pytest.raises(ConfigError, match="'lr' has a value already"):
        parse_values(["lr=1", "lr=2"])


def test_families_are_found_by_label_name_and_factory():
    config = ExperimentConfig(
        data={"train": "t.csv", "target": "y"},
        metric="rmse",
        features="v1",
        families=["dummy", "lightgbm", {"name": "lightgbm", "features": "v2"}, "factories:net"],
    )

    def labels(name, features=None):
        return tuple(entry.label for entry in find_family(config, name, features))

    assert labels("lightgbm") == ("lightgbm+v1", "lightgbm+v1")
    assert labels("lightgbm+v2") == ("lightgbm+v2", "lightgbm+v2")
    assert labels("lightgbm+v3") == ("lightgbm+v1", "lightgbm+v3")
    assert labels("lightgbm", "none") == ("lightgbm+v1", "lightgbm")
    assert labels("factories:net", "v2") == ("net+v1", "net+v2")
    assert labels("factories:other") == ("other+v1", "other+v1")
    assert labels("xgboost", "v2") == ("xgboost+v1", "xgboost+v2")


def test_the_command_line_says_what_is_wrong_without_a_traceback(folder):
    command = [sys.executable, "-m", "workbench.cli", "try", str(folder), "lightgbm", "--values", "lr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --values lr: expected NAME=VALUE, such as lr=0.05\n"
