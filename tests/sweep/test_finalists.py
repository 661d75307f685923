"""Finalists of a workspace: what cannot be submitted today is left out by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.sweep.test_delivery_stage import stored_trial
from workbench.errors import NothingToDeliver
from workbench.experiment import Experiment
from workbench.finalists import propose_finalists
from workbench.workspace import open_workspace


def test_a_trial_without_predictions_of_the_test_table_is_left_out_by_name(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": range(40), "y": np.arange(40.0) ** 2})
    settings = {"families": ["linear"], "folds": {"splits": 2}, "root": tmp_path}
    experiment = Experiment(rows, test=rows[["a"]][:7], target="y", metric="rmse", **settings)
    with open_workspace(experiment) as workspace:
        sweep = workspace.ledger.open_sweep("e")
        for key, score in (("aa01", 1.0), ("bb02", 2.0)):
            stored_trial(workspace, sweep, key, score)
        test_key = workspace.dataset.test_key
    with pytest.raises(NothingToDeliver, match="linear#0000 is not blended: it has no predictions of today's test"):
        propose_finalists(experiment)
    with open_workspace(experiment) as workspace:
        workspace.vault.set_test("bb02", test_key, np.arange(7.0)[:, None])
    found = propose_finalists(experiment)
    assert found.left_out == ("linear#0000 is not blended: it has no predictions of today's test table",)
    (best, *_) = found.finalists
    assert [member.trial for member in best.blend.members] == ["linear#0001"]
    assert len(pd.read_csv(found.files[0])) == 7
