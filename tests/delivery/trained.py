"""A small raw table with everything that raw tables have, trained for real."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from workbench import registry
from workbench.blending.result import BlendResult, MemberRef
from workbench.config.models import ExperimentConfig
from workbench.data.building import load_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan, make_plan
from workbench.store.vault import Vault
from workbench.training.runner import run
from workbench.types import FamilyRef, Job, MetricRef, TrainingSettings, TrialResult

FACTORY = """
from helpers import depth
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

def forest(hp, problem):
    trees = hp.Int("trees", 5, 20, default=6)
    return make_pipeline(SimpleImputer(), RandomForestClassifier(trees, max_depth=depth(), random_state=0))
"""


def raw_table(rows: int, seed: int) -> pd.DataFrame:
    """Whole numbers with gaps, categories with gaps, dates, booleans, a number-like category and an unused column."""
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 80, rows).astype(float)
    city = generator.choice(np.array(["Ulm", "Bonn", "Kiel"], dtype=object), rows)
    frame = pd.DataFrame(
        {
            "id": [f"{i:04d}" for i in range(rows)],
            "age": age,
            "income": generator.normal(size=rows) * 1e4,
            "city": city,
            "since": (np.datetime64("2020-01-01") + generator.integers(0, 900, rows)).astype(str),
            "member": generator.random(rows) < 0.5,
            "children": generator.integers(0, 4, rows),
            "constant": 1,
        }
    )
    chance = 1 / (1 + np.exp(-(age - 50) / 10 - (city == "Ulm")))
    frame["bought"] = np.where(generator.random(rows) < chance, "yes", "no")
    frame.loc[generator.random(rows) < 0.1, "age"] = np.nan
    frame.loc[generator.random(rows) < 0.1, "city"] = None
    return frame


@dataclass(frozen=True)
class Trained:
    """Trials in a vault."""

    root: Path
    vault: Vault
    dataset: Dataset
    plan: FoldPlan
    results: dict[str, TrialResult]

    def blend(self, **weights: float) -> BlendResult:
        """A blend of families by weight."""
        members = tuple(
            MemberRef(
                family=family,
                number=i,
                fit_key=self.results[family].fit_key,
                weight=weight,
                score=self.results[family].score,
                score_se=0.0,
                values=self.results[family].values,
            )
            for i, (family, weight) in enumerate(weights.items())
        )
        return BlendResult(method="by_hand", members=members, in_sample=0.5, nested=0.5, nested_se=0, best_single=0.5)

    def expected(self, **weights: float) -> np.ndarray:
        """The vault's test predictions, blended."""
        keys = {family: self.results[family].fit_key for family in weights}
        return sum(w * self.vault.test(keys[family], self.dataset.test_key) for family, w in weights.items())


def train(root: Path, families: dict[str, FamilyRef]) -> Trained:
    """Write tables into ``root`` and fit each family's defaults on three folds."""
    raw_table(120, 0).to_csv(root / "train.csv", index=False)
    raw_table(40, 1).drop(columns="bought").to_csv(root / "test.csv", index=False)
    config = ExperimentConfig.model_validate(
        {
            "data": {"train": "train.csv", "test": "test.csv", "target": "bought", "id": "id"},
            "metric": "log_loss",
            "folds": {"splits": 3},
        }
    )
    dataset = load_dataset(config, root, "probabilities")
    plan = make_plan(dataset, config.folds, 0)
    dataset.save(root / "dataset")
    plan.save(root / "plan.npz")
    vault = Vault(root / "vault")
    results = {}
    for name, family in families.items():
        job = Job(
            kind="fit",
            job_id=name,
            dataset=root / "dataset",
            plan=root / "plan.npz",
            family=family,
            metric=MetricRef(name="log_loss", needs="probabilities"),
            settings=TrainingSettings(epochs=3, rounds=20, threads=1),
            fit_key=f"fit{name}",
            vault=vault.root,
        )
        result = run(job, lambda _: False)
        assert isinstance(result, TrialResult)
        results[name] = result
    return Trained(root, vault, dataset, plan, results)


def built_in(name: str) -> FamilyRef:
    return registry.resolve("families", name).ref(name)
