"""The fold plan for whoever trains elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.exchange.folds_table import write_folds
from workbench.experiment import Experiment
from workbench.workspace import open_workspace

TABLE = pd.DataFrame({"name": [f"r{i}" for i in range(24)], "x": np.arange(24.0), "y": np.arange(24.0) % 7})


def experiment(folder, **settings):
    given = {"families": ["linear"], "folds": {"splits": 3, "repeats": 2}, **settings}
    return Experiment(TABLE, target="y", metric="rmse", root=folder, **given)


def test_another_experiment_reads_the_folds_that_were_written(tmp_path):
    own = experiment(tmp_path / "own", id="name")
    table = write_folds(own, tmp_path / "new" / "folds.csv")
    assert list(table.columns) == ["name", "fold", "fold_1"]
    with open_workspace(own) as workspace:
        for split in range(6):
            column = "fold" if split < 3 else "fold_1"
            found = table.index[table[column] == split % 3]
            np.testing.assert_array_equal(found, workspace.plan.validate(split))
    first = tmp_path / "first.csv"
    table[["name", "fold"]].sample(frac=1, random_state=0).to_csv(first, index=False)
    other = experiment(tmp_path / "other", id="name", folds={"kind": "file", "file": str(first)})
    with open_workspace(own) as left, open_workspace(other) as right:
        np.testing.assert_array_equal(left.plan.assignment[:3], right.plan.assignment)


def test_rows_without_an_id_are_known_by_position_and_those_set_aside_are_absent(tmp_path):
    with_holdout = experiment(tmp_path, holdout=0.5)
    table = write_folds(with_holdout, tmp_path / "folds.csv")
    with open_workspace(with_holdout) as workspace:
        assert len(table) == 24 - workspace.dataset.holdout_rows
        assert not set(table.row) & set(workspace.dataset.holdout_ids.tolist())
