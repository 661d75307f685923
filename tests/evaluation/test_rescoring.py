"""The best configurations on a second fold plan: the optimism of a choice among noise, and what the plans differ by."""

import pytest
from rich.console import Console

from tests.evaluation.plans_runner import HARDER
from workbench.errors import ConfigError, NothingToDeliver
from workbench.evaluation import rescore
from workbench.evaluation.bench import open_bench
from workbench.evaluation.rescored import Rescoring, rescore_of
from workbench.evaluation.rescoring import rescored, train, want
from workbench.experiment import Experiment
from workbench.search.progress import Silent
from workbench.search_budget import resolve_budget
from workbench.search_stage import open_search
from workbench.workspace import open_workspace

RUNNER = "tests.evaluation.plans_runner:run"


def test_a_choice_among_noise_is_found_out_and_nothing_is_trained_twice(folder):
    experiment = Experiment.from_folder(folder)
    with pytest.raises(NothingToDeliver, match="no trial of 'ideas' is complete"):
        rescore(experiment, runner=RUNNER)
    with open_workspace(experiment) as workspace:
        budget = resolve_budget(workspace, 14, 0, None)
        with open_search(workspace, budget, Silent(), RUNNER) as search:
            search.run(workspace.ledger.open_sweep("ideas"))
        before = [study.key for study in workspace.studies]
    with open_workspace(experiment) as workspace, open_bench(workspace, Silent(), RUNNER) as bench:
        wanted = want(workspace, 8, Silent(), control=True)
        sweep = workspace.ledger.open_sweep("ideas")
        train(bench, wanted, sweep)
        found = rescored(bench, wanted, sweep)
    assert [each.first for each in found.best] == sorted(each.first for each in found.best)
    assert max(each.first for each in found.best) < min(each.first for each in found.control)
    assert not any("dummy" in each.trial for each in found.best)
    assert (len(found.best), len(found.control)) == (8, 8)
    # The second plan is harder for all, and the best eight of 28 were lucky.
    assert found.optimism.mean > HARDER + 0.5
    assert found.selection.mean == pytest.approx(found.optimism.mean - found.plans.mean)
    assert found.selection.mean > 0.5
    executed = (experiment.store / "cache" / "executions.log").read_text().splitlines()
    assert sum("~rescore" in name for name in executed) == 16
    again = rescore(experiment, top=8, control=True, runner=RUNNER)
    assert again == found.model_copy(update={"sweep": None})
    assert (experiment.store / "cache" / "executions.log").read_text().splitlines() == executed
    with open_workspace(experiment) as workspace:
        assert [study.key for study in workspace.studies] == before
        assert not any("~" in trial.name for trial in workspace.trials())
    console = Console(width=100, record=True)
    console.print(found.render())
    text = console.export_text()
    assert "so the choice alone: " in text
    assert found.best[0].trial in text


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"kind": "column", "column": "fold"}, "the fold plan follows from folds.column, so there is no second one"),
        ({"kind": "time"}, "the fold plan follows from the rows' order in time"),
    ],
)
def test_a_plan_that_cannot_be_drawn_anew_is_refused(tmp_path, folds, message):
    rows = "".join(f"{i},{i % 5},{i % 7}\n" for i in range(60))
    (tmp_path / "train.csv").write_text(f"t,fold,y\n{rows}", encoding="utf-8")
    options = {"target": "y", "metric": "rmse", "families": ["lightgbm"], "root": tmp_path, "time": "t"}
    with pytest.raises(ConfigError, match=message):
        rescore(Experiment("train.csv", folds=folds, **options), runner=RUNNER)


def test_where_more_is_better_a_lower_second_score_is_optimism():
    each = rescore_of("a#0001", "maximize", (0.9, 0.01), (0.8, 0.01))
    assert each.optimism == pytest.approx(0.1)
    found = Rescoring(experiment="e", sweep=1, metric="auc", direction="maximize", folds_seed=1, best=(each,))
    assert (found.optimism.se, found.selection) == (None, None)
    assert "optimism of the choice: +0.1 (auc" in found.summary
    assert "--control" in found.summary
