"""What `workbench init` warns of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from workbench.scaffold import Scaffold
from workbench.scaffold.strength import coded, strength

ROWS = 1000


def random_table(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    columns = {
        "number": random.normal(size=ROWS),
        "letter": random.choice(list("abcdefgh"), ROWS),
        "gaps": np.where(random.random(ROWS) < 0.3, np.nan, random.random(ROWS)),
        "y": random.integers(0, 2, ROWS),
    }
    return pd.DataFrame(columns)


def warnings(scaffold: Scaffold) -> list[str]:
    return [finding.text for finding in scaffold.findings if finding.warning]


def test_tables_alike_are_no_cause_for_warnings(begin) -> None:
    scaffold = begin(random_table(0), random_table(1).drop(columns="y"))
    assert warnings(scaffold) == []
    assert any("look alike" in finding.text for finding in scaffold.findings)


def test_rows_that_are_there_twice(begin) -> None:
    train = random_table()
    copies = train.iloc[:30].assign(y=1 - train["y"].iloc[:30])
    told = "\n".join(warnings(begin(pd.concat([train, copies]), train.iloc[100:150].drop(columns="y"))))
    assert "training rows that repeat another one: 30 of 1,030, 30 of them with another target" in told
    assert "test rows that repeat a training row, but for the target: 50 of 50" in told


def test_drift_is_told_by_column_and_by_a_classifier(begin) -> None:
    test = random_table(1).drop(columns="y")
    test["number"] += 1.0
    test.loc[test["letter"] < "e", "letter"] = "z"
    scaffold = begin(random_table(0), test)
    drifting, classifier = warnings(scaffold)
    assert "'letter' 0.5" in drifting
    assert "'number' 0.4" in drifting
    assert "gaps" not in drifting
    assert "tells test from training rows with AUC" in classifier
    assert {column.name for column in scaffold.columns if "drifts" in column.note} == {"letter", "number"}
    assert any("no training row has: 'letter'" in finding.text for finding in scaffold.findings)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_column_that_gives_the_target_away(begin, task: str) -> None:
    random = np.random.default_rng(2)
    y = {
        "binary": random.integers(0, 2, ROWS),
        "multiclass": random.choice(["red", "green", "blue"], ROWS),
        "regression": random.normal(size=ROWS),
    }[task]
    leak = y * 3 + 1 if task == "regression" else pd.Series(y).map(str) + " it is"
    (told,) = warnings(begin(random_table().assign(y=y, leak=leak), target="y"))
    assert told.startswith("'leak' gives the target away: ")
    assert ("each of its values goes with one value of the target" in told) == (task != "regression")


def test_rows_sorted_by_the_target(begin) -> None:
    iris = load_iris(as_frame=True).frame
    assert "the order of the rows tells of the target" in "\n".join(warnings(begin(iris, target="target")))


def test_rare_classes_and_what_is_ignored(begin) -> None:
    train = random_table().assign(empty=np.nan, same=1)
    train["y"] = np.where(train.index % 20 == 0, "yes", "no")
    told = "\n".join(finding.text for finding in begin(train, target="y").findings)
    assert "rare classes: 'yes' 5.0%" in told
    assert "column 'empty': ignored as every cell is empty" in told
    assert "column 'same': ignored as every cell is the same" in told


def test_many_categories_tell_nothing_of_rows_that_they_were_not_read_off() -> None:
    random = np.random.default_rng(0)
    codes, y = coded(pd.Series(random.integers(0, 900, ROWS).astype(str)).astype(object)), random.integers(0, 3, ROWS)
    assert abs(strength(codes, y, "multiclass")) < 0.1
    assert abs(strength(codes, (y > 0).astype(int), "binary") - 0.5) < 0.06
    assert strength(codes, random.normal(size=ROWS), "regression") < 0.1
