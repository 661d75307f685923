"""Real tables, where they are: what a Kaggle user would expect of their schemas, and how long it takes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.config import ExperimentConfig
from workbench.data import Dataset, NativePreparation, ScaledPreparation, load_dataset, make_plan, read_table
from workbench.types import Needs

ROOT = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the real tables of ../shared/data are absent")


def load(name: str, target: str, metric: str, needs: Needs, **data: Any) -> tuple[Dataset, ExperimentConfig]:
    parts = {"target": target, **data}
    config = ExperimentConfig.model_validate({"data": parts, "metric": metric})
    return load_dataset(config, ROOT / name, needs), config


def kinds(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.kind for column in dataset.schema.columns}


def test_titanic() -> None:
    dataset, _ = load(
        "titanic", "Survived", "accuracy", "labels", train="train.csv", test="test_unlabelled.csv", id="PassengerId"
    )
    assert dataset.schema.task == "binary"
    assert dataset.schema.classes == (0, 1)
    assert kinds(dataset) == {
        **dict.fromkeys(("Pclass", "Age", "SibSp", "Parch", "Fare"), "numeric"),
        **dict.fromkeys(("Sex", "Ticket", "Cabin", "Embarked"), "categorical"),
        **dict.fromkeys(("PassengerId", "Name"), "ignored"),
    }
    assert dataset.test_ids is not None
    assert dataset.test_ids[[0, -1]].tolist() == [892, 1309]


def test_spaceship_titanic_keeps_its_ids_and_booleans() -> None:
    dataset, _ = load(
        "spaceship_titanic",
        "Transported",
        "accuracy",
        "labels",
        train="train.csv",
        test="test_unlabelled.csv",
        id="PassengerId",
    )
    assert dataset.schema.classes == (False, True)
    assert kinds(dataset)["CryoSleep"] == kinds(dataset)["VIP"] == "boolean"
    assert dataset.ids is not None
    assert dataset.ids[0] == "0001_01"


def test_an_empty_column_is_ignored_with_a_notice() -> None:
    dataset, _ = load("thyroid_sick", "Class", "auc", "probabilities", train="train.csv", test="test.csv")
    assert "column 'TBG': ignored as every cell is empty" in dataset.notices
    assert dataset.schema.classes == ("negative", "sick")


def test_more_columns_than_rows() -> None:
    dataset, config = load("permeability", "permeability", "rmse", "values", train="train.csv", test="test.csv")
    plan = make_plan(dataset, config.folds, 0)
    prepared = ScaledPreparation(dataset.schema).fit_transform(dataset.features.iloc[plan.train(0)], dataset.y)
    assert prepared.numeric.shape[1] == len(dataset.schema.features) > dataset.rows
    assert np.isfinite(prepared.numeric).all()


def test_gaps_of_house_prices_are_marked() -> None:
    dataset, _ = load(
        "house_prices", "SalePrice", "rmsle", "values", train="train.csv", test="test_unlabelled.csv", id="Id"
    )
    raw = read_table(ROOT / "house_prices" / "train.csv")
    gaps = {name for name in raw.columns if raw[name].isna().any()}
    assert {column.name for column in dataset.schema.features if column.missing} == gaps
    assert len(gaps) == 19


def test_adult_income_is_loaded_and_prepared_in_seconds() -> None:
    start = time.perf_counter()
    dataset, config = load("adult_income", "income", "auc", "probabilities", train="train.csv.gz", test="test.csv.gz")
    plan = make_plan(dataset, config.folds, 0)
    for kind in (ScaledPreparation, NativePreparation):
        for split in range(plan.splits):
            preparation = kind(dataset.schema)
            preparation.fit_transform(dataset.features.iloc[plan.train(split)], dataset.y[plan.train(split)])
            preparation.transform(dataset.features.iloc[plan.validate(split)])
    # About 0.8 s, and some seconds more where this test is the first to import scikit-learn on a busy machine.
    assert time.perf_counter() - start < 15.0
