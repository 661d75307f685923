"""Small tables as datasets on disk, and jobs over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench import registry
from workbench.config.models import ExperimentConfig
from workbench.data.building import load_dataset
from workbench.data.folds import make_plan
from workbench.metrics import load_metric
from workbench.models.identity import code_identity
from workbench.types import FamilyRef, Job, MetricRef, TrainingSettings

MakeJob = Callable[..., Job]
METRIC = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}


def make_table(task: str, rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table with numbers, gaps and categories, whose target can be learned."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    kind = rng.choice(["red", "green", "blue"], rows)
    signal = 2 * a - b + np.where(kind == "red", 1.5, -0.5) + 0.3 * rng.normal(size=rows)
    target: Any = signal
    if task == "binary":
        target = np.where(signal > 0, "yes", "no")
    if task == "multiclass":
        target = np.array(["low", "middle", "high"])[np.digitize(signal, [-1.0, 1.0])]
    return pd.DataFrame(
        {"a": np.where(rng.random(rows) < 0.1, np.nan, a), "b": b, "kind": kind, "w": 1 + rng.random(rows), "y": target}
    )


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Return a function that writes a dataset and a plan and gives a job over them."""

    def make(
        task: str = "binary",
        family: str | FamilyRef = "lightgbm",
        *,
        rows: int = 150,
        splits: int = 3,
        weight: bool = False,
        **options: Any,
    ) -> Job:
        make_table(task, rows).to_csv(tmp_path / "train.csv", index=False)
        make_table(task, 40, seed=1).drop(columns=["y"]).to_csv(tmp_path / "test.csv", index=False)
        data: dict[str, Any] = {"train": "train.csv", "test": "test.csv", "target": "y"}
        data |= {"weight": "w"} if weight else {"drop": ["w"]}
        metric = options.pop("metric", METRIC[task])
        config = ExperimentConfig.model_validate({"data": data, "metric": metric, "folds": {"splits": splits}})
        found = load_metric(MetricRef(name=metric))
        dataset = load_dataset(config, tmp_path, found.needs)
        plan = make_plan(dataset, config.folds, seed=0)
        dataset.save(tmp_path / f"data-{dataset.key}")
        plan.save(tmp_path / f"plan-{plan.key}.npz")
        ref = registry.resolve("families", family).ref(family) if isinstance(family, str) else family
        settings = TrainingSettings(rounds=60, rounds_patience=10, epochs=8, threads=1)
        return Job(
            **{
                "kind": "fit",
                "job_id": "job",
                "dataset": tmp_path / f"data-{dataset.key}",
                "plan": tmp_path / f"plan-{plan.key}.npz",
                "family": ref,
                "metric": MetricRef(name=metric, direction=found.direction, needs=found.needs),
                "settings": settings,
                "fit_key": "f" * 16,
                "vault": tmp_path / "vault",
                **options,
            }
        )

    return make


@pytest.fixture
def own_factory(tmp_path: Path) -> Callable[[str], FamilyRef]:
    """Return a function that writes a ``factories.py`` and gives its ``build`` as a family."""

    def write(source: str, preparation: str = "scaled") -> FamilyRef:
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        (folder / "factories.py").write_text(source)
        code = code_identity("factories:build", folder)
        return FamilyRef(name="own", factory="factories:build", root=folder, preparation=preparation, code=code)

    return write
