from datetime import datetime

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

import workbench
from workbench.errors import ConfigError
from workbench.experiment import Experiment
from workbench.search.progress import Silent
from workbench.search_budget import resolve_budget
from workbench.search_stage import open_search
from workbench.workspace import open_workspace

YAML = """\
name: plotted
data: {train: train.csv, target: y}
metric: rmse
families: [linear]
search: {pruner: none, trials: 6}
training: {executor: inline, workers: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six trials of the stub; then one that waits, and one that runs."""
    folder = tmp_path_factory.mktemp("plotted")
    generator = np.random.default_rng(0)
    pd.DataFrame(generator.normal(size=(60, 3)), columns=["a", "b", "y"]).to_csv(folder / "train.csv", index=False)
    (folder / "experiment.yaml").write_text(YAML)
    with open_workspace(Experiment.from_folder(folder)) as workspace:
        (study,), ledger = workspace.studies, workspace.ledger
        sweep = ledger.open_sweep("plotted")
        budget = resolve_budget(workspace, None, 0, None)
        with open_search(workspace, budget, Silent(), "tests.stub_runner:run") as search:
            search.run(sweep)
        waiting, running = (ledger.claim(study, sweep, 8) for _ in range(2))
        ledger.lose(waiting, None)
        assert running is not None
    return folder


def test_the_study_holds_what_the_ledger_knows(folder):
    study = workbench.load_study(folder, "linear")
    assert isinstance(study, optuna.Study)
    trials = study.trials
    assert [trial.number for trial in trials] == list(range(8))
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 6 + [TrialState.WAITING, TrialState.RUNNING]
    x, y = trials[1].params["x"], trials[1].params["y"]
    bowl = (x - 0.3) ** 2 + (y - 2) ** 2
    assert trials[1].value == pytest.approx(bowl + 0.01)
    # Three splits of four epochs, one after the other.
    expected = [bowl + 0.01 * split + 1 / epoch for split in range(3) for epoch in range(1, 5)]
    assert trials[1].intermediate_values == pytest.approx(dict(enumerate(expected, start=1)))
    assert trials[1].distributions["y"] == optuna.distributions.IntDistribution(0, 8)
    assert trials[1].user_attrs["name"] == "linear#0001"
    assert trials[1].user_attrs["score_se"] == pytest.approx(0.01 / np.sqrt(3))
    assert abs((trials[1].datetime_complete - datetime.now()).total_seconds()) < 600
    assert study.best_value == min(trial.value for trial in trials[:6])
    assert len(study.trials_dataframe()) == 8


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optuna_draws_it(folder):
    study = workbench.load_study(folder, "linear", storage=optuna.storages.InMemoryStorage())
    drawn = optuna.visualization
    assert len(drawn.plot_optimization_history(study).data[0].x) == 6
    assert set(drawn.plot_param_importances(study).data[0].y) == {"x", "y"}
    assert len(drawn.plot_intermediate_values(study).data) >= 6


def test_an_unknown_family_is_named(folder):
    with pytest.raises(ConfigError, match=r"'plotted' has no family 'liner'; it has linear\. Did you mean 'linear'"):
        workbench.load_study(folder, "liner")
