"""The fold plan as a table, for whoever trains elsewhere: `workbench folds`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.folds import FoldPlan
from workbench.data.planning import ONLY_TRAINED
from workbench.data.prepared import Index
from workbench.exchange.joining import row_ids
from workbench.experiment import Experiment
from workbench.workspace import open_workspace

ROW = "row"
"""Column of the rows' positions, from 0, where the table has no id."""


def write_folds(experiment: Experiment, path: Path) -> pd.DataFrame:
    """Write the fold of each row of the training table as CSV, and return it.

    Columns are the id and ``fold``, from 0; -1 is trained on and never validated. Further repeats are ``fold_1`` and so
    on. Rows set aside are not in it: nobody should train on them. As it is, `folds.file` reads it.
    """
    with open_workspace(experiment) as workspace:
        dataset, plan = workspace.dataset, workspace.plan
        name = experiment.config.data.id or ROW
        folds = {_column(repeat): _folds(plan, repeat)[: dataset.own_rows] for repeat in range(plan.repeats)}
        table = pd.DataFrame({name: row_ids(dataset), **folds})
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")
    return table


def _column(repeat: int) -> str:
    return "fold" if repeat == 0 else f"fold_{repeat}"


def _folds(plan: FoldPlan, repeat: int) -> Index:
    folds = np.full(plan.rows, ONLY_TRAINED)
    splits = [split for split in range(plan.splits) if plan.repeat(split) == repeat]
    for fold, split in enumerate(splits):
        folds[plan.validate(split)] = fold
    return folds
