"""Extra rows in training: fitted on in every split, watched and validated in none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench import registry
from workbench.config import ExperimentConfig
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import make_plan
from workbench.training.material import Split, open_material
from workbench.types import Job, MetricRef, TrainingSettings

ROWS, EXTRA = 90, 30


def inner_splits(folder: Path, dataset: Dataset, config: ExperimentConfig) -> Iterator[Split]:
    dataset.save(folder / "set")
    make_plan(dataset, config.folds, 0).save(folder / "plan.npz")
    job = Job(
        kind="fit",
        job_id="1",
        dataset=folder / "set",
        plan=folder / "plan.npz",
        family=registry.resolve("families", "dummy").ref("dummy"),
        metric=MetricRef(name="rmse"),
        settings=TrainingSettings(stopping="inner"),
    )
    return open_material(job).splits(neural=False)


@pytest.mark.parametrize("grouped", [False, True])
def test_inner_stopping_watches_no_extra_rows(tmp_path: Path, grouped: bool) -> None:
    steps = np.arange(ROWS + EXTRA)
    frame = pd.DataFrame({"x": steps % 7, "y": steps % 5 + 1.0, "g": steps % 30})
    data = {"train": "t.csv", "target": "y", "extra": "e.csv", "extra_weight": 0.5}
    data |= {"group": "g"} if grouped else {"drop": ["g"]}
    config = ExperimentConfig.model_validate({"data": data, "metric": "rmse"})
    dataset = build_dataset(config, frame.head(ROWS), None, "values", extra=[frame.tail(EXTRA)])
    for split in inner_splits(tmp_path, dataset, config):
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


def test_inner_stopping_watches_no_rows_of_weight_0(tmp_path: Path) -> None:
    steps = np.arange(ROWS)
    frame = pd.DataFrame({"x": steps % 7, "y": steps % 5 + 1.0, "w": np.where(steps % 4 == 0, 1.0, 0.0)})
    data = {"train": "t.csv", "target": "y", "weight": "w"}
    config = ExperimentConfig.model_validate({"data": data, "metric": "rmse"})
    for split in inner_splits(tmp_path, build_dataset(config, frame, None, "values"), config):
        assert (split.weights(split.watch) > 0).all()  # type: ignore[operator]
        together = np.concatenate([split.train, split.watch, split.validate])
        assert np.sort(together).tolist() == list(range(ROWS))
