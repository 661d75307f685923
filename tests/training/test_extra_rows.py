"""Extra rows in training: fitted on in every split, watched and validated in none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench import registry
from workbench.config import ExperimentConfig
from workbench.data.building import build_dataset
from workbench.data.folds import make_plan
from workbench.training.material import open_material
from workbench.types import Job, MetricRef, TrainingSettings

ROWS, EXTRA = 90, 30


@pytest.mark.parametrize("grouped", [False, True])
def test_inner_stopping_watches_no_extra_rows(tmp_path: Path, grouped: bool) -> None:
    steps = np.arange(ROWS + EXTRA)
    frame = pd.DataFrame({"x": steps % 7, "y": steps % 5 + 1.0, "g": steps % 30})
    data = {"train": "t.csv", "target": "y", "extra": "e.csv", "extra_weight": 0.5}
    data |= {"group": "g"} if grouped else {"drop": ["g"]}
    config = ExperimentConfig.model_validate({"data": data, "metric": "rmse"})
    dataset = build_dataset(config, frame.head(ROWS), None, "values", extra=[frame.tail(EXTRA)])
    dataset.save(tmp_path / "set")
    make_plan(dataset, config.folds, 0).save(tmp_path / "plan.npz")
    job = Job(
        kind="fit",
        job_id="1",
        dataset=tmp_path / "set",
        plan=tmp_path / "plan.npz",
        family=registry.resolve("families", "dummy").ref("dummy"),
        metric=MetricRef(name="rmse"),
        settings=TrainingSettings(stopping="inner"),
    )
    for split in open_material(job).splits(neural=False):
        assert split.watch.max() < ROWS
        assert split.validate.max() < ROWS
        trained = np.concatenate([split.train, split.watch])
        assert len(np.unique(trained)) == len(trained)
        if not grouped:
            assert np.isin(np.arange(ROWS, ROWS + EXTRA), split.train).all()
            assert split.weights(split.train) is not None
        else:
            others = np.concatenate([split.watch, split.validate])
            assert not np.isin(dataset.group[split.train], dataset.group[others]).any()  # type: ignore[index]
            assert (split.train >= ROWS).any()
