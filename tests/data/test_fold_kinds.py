"""Fold plans in time, of a column, of a function and of a file; rare classes; extra rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from workbench.config import ExperimentConfig
from workbench.data.building import build_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import TRAIN, UNUSED, VALIDATE, FoldPlan, make_plan
from workbench.data.time_folds import time_folds
from workbench.errors import DataError, FactoryError

ROWS = 60


def table(**changes: Any) -> pd.DataFrame:
    steps = np.arange(ROWS)
    return pd.DataFrame({"x": steps % 7, "y": steps % 9 + 1.0, **changes})


def plan_of(
    frame: pd.DataFrame,
    folds: dict[str, Any] | None = None,
    root: Path | None = None,
    extra: pd.DataFrame | None = None,
    metric: str = "rmse",
    **data: Any,
) -> tuple[FoldPlan, Dataset]:
    parts = {"train": "t.csv", "target": "y", **data, **({} if extra is None else {"extra": "extra.csv"})}
    config = ExperimentConfig.model_validate({"data": parts, "metric": metric, "folds": folds or {}})
    needs = "values" if metric == "rmse" else "probabilities"
    dataset = build_dataset(config, frame, None, needs, extra=[] if extra is None else [extra])  # type: ignore[arg-type]
    return make_plan(dataset, config.folds, 0, root=root), dataset


# --- time ------------------------------------------------------------------------------------------------------------


@given(rows=st.integers(20, 90), splits=st.integers(2, 6), gap=st.integers(0, 3), seed=st.integers(0, 9))
def test_times_that_differ_are_split_as_scikit_learn_does(rows: int, splits: int, gap: int, seed: int) -> None:
    time = np.random.default_rng(seed).permutation(rows) * 1.5
    order = np.argsort(time)
    if rows - rows // (splits + 1) * splits <= gap:
        return
    expected = TimeSeriesSplit(n_splits=splits, gap=gap).split(order)
    for (train, validate), (first, second) in zip(time_folds(time, splits, gap), expected, strict=True):
        np.testing.assert_array_equal(train, np.sort(order[first]))
        np.testing.assert_array_equal(validate, np.sort(order[second]))


@given(st.lists(st.integers(0, 12), min_size=20, max_size=80), st.integers(2, 4), st.integers(0, 5))
def test_rows_of_one_time_stay_together_and_nothing_is_trained_on_later(
    times: list[int], splits: int, gap: int
) -> None:
    time = np.array(times)
    try:
        parts = time_folds(time, splits, gap)
    except DataError:
        return
    for train, validate in parts:
        assert time[train].max() < time[validate].min()
        assert ((time > time[train].max()) & (time < time[validate].min())).sum() >= gap
    validated = np.concatenate([validate for _, validate in parts])
    assert len(np.unique(validated)) == len(validated)


@pytest.mark.parametrize(
    "times",
    [
        [f"2026-01-{row % 20 + 1:02d}" for row in range(ROWS)],
        pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(ROWS) % 20, unit="D"),
        np.arange(ROWS) % 20,
        [str(row % 20) for row in range(ROWS)],
    ],
)
def test_times_are_dates_or_numbers(times: Any) -> None:
    plan, _ = plan_of(table(t=times), {"splits": 3, "gap": 2}, time="t")
    assert (plan.kind, plan.splits, plan.repeats) == ("time", 3, 1)
    day = np.arange(ROWS) % 20
    for split in range(3):
        assert day[plan.train(split)].max() < day[plan.validate(split)].min()
    assert (plan.assignment == UNUSED).any()


@pytest.mark.parametrize(
    ("times", "folds", "message"),
    [
        ([None, *range(1, ROWS)], {}, r"time 't' is empty in 1 of 60 rows \(1\); a row without a time"),
        (["monday", "tuesday"] * 30, {}, r"data\.time 't' must hold numbers or ISO 8601 dates .* got 'monday'"),
        (np.arange(ROWS) // 15, {}, "5 folds in time need more than 5 different times .* got 4 in 60 rows"),
        (range(ROWS), {"gap": 10}, r"folds\.gap is 10, which leaves nothing of the 10 rows"),
    ],
)
def test_what_has_no_order_is_told(times: Any, folds: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan_of(table(t=times), folds, time="t")


def test_groups_that_a_plan_tears_apart_are_told() -> None:
    frame = table(t=range(ROWS), g=np.arange(ROWS) % 6, f=np.arange(ROWS) % 3)
    torn = r"fold 1 of 5 \(time\) trains on and validates rows of the same group, in 6 groups; remove data\.group, or"
    with pytest.raises(DataError, match=torn):
        plan_of(frame, time="t", group="g")
    assert plan_of(frame, {"column": "f"}, group="g")[0].kind == "column"
    with pytest.raises(DataError, match=r"fold 1 of 3 \(column\) .* correct the plan that folds\.column gives, or rem"):
        plan_of(frame.assign(g=np.arange(ROWS) % 4), {"column": "f"}, group="g")


# --- column ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folds", [[2.0, 10.0, None, -1.0], ["b", "c", "", "-1"], [2, 10, -1, -1]])
def test_a_column_gives_each_row_its_fold(folds: list[Any]) -> None:
    plan, dataset = plan_of(table(f=folds * 15), {"column": "f"})
    assert (plan.kind, plan.splits) == ("column", 2)
    assert [plan.validate(split)[:2].tolist() for split in range(2)] == [[0, 4], [1, 5]]
    assert all(len(plan.train(split)) == 45 for split in range(2))
    column = next(column for column in dataset.schema.columns if column.name == "f")
    assert (column.kind, column.cells) == ("ignored", None)
    assert "f" not in dataset.raw("train")


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (range(ROWS), r"expected 2 to 100 folds, .* got 101 distinct"),
        ([-1, 3] * 30, "got 1 distinct"),
        ([None] * ROWS, "got no value but -1"),
    ],
)
def test_columns_that_are_no_folds_are_told(folds: Any, message: str) -> None:
    frame = pd.concat([table()] * 2, ignore_index=True)
    frame["f"] = list(folds)[:1] * 19 + list(range(101)) if len(set(folds)) == ROWS else [*folds, *folds]
    with pytest.raises(DataError, match=message):
        plan_of(frame, {"column": "f"})
    with pytest.raises(DataError, match=r"has no column 'fould' \(folds\.column\)\. Did you mean 'fold'\?"):
        plan_of(table(fold=1), {"column": "fould"})


# --- function --------------------------------------------------------------------------------------------------------

CODE = """
import numpy as np

def by_year(frame, y):
    assert list(frame.columns) == ["x", "year", "note", "w", "done"], list(frame.columns)
    assert str(frame["done"].dtype) == "boolean" and str(frame["year"].dtype) == "float64"
    assert y.name == "y" and len(y) == len(frame)
    for year in (2024, 2025):
        yield np.flatnonzero(frame["year"] < year), np.flatnonzero(frame["year"] == year)

def overlap(frame, y):
    yield [0, 1, 2], [3]
    yield [0, 1, 2], [2, 3]

def outside(frame, y):
    return [([0, 60], [1]), ([1], [0])]

def empty(frame, y):
    return [([0, 1], [2]), ([0, 1], [])]

def mask(frame, y):
    return [(frame["x"].to_numpy() > 3, frame["x"].to_numpy() <= 3)] * 2

def single(frame, y):
    return [([0], [1])]

def triple(frame, y):
    return [([0], [1], [2])] * 2

def number(frame, y):
    return [1, 2]

def twice(frame, y):
    return [([0, 0], [1])] * 2

def fails(frame, y):
    return frame["nothing"]
"""


def labelled() -> pd.DataFrame:
    return table(year=2023 + np.arange(ROWS) % 3, note="same", w=1.0, done=[True, False] * 30)


def test_a_function_gives_the_splits_and_sees_what_models_do_not(tmp_path: Path) -> None:
    (tmp_path / "plans.py").write_text(CODE)
    plan, _ = plan_of(labelled(), {"function": "plans:by_year"}, tmp_path, weight="w", drop=["note"])
    year = 2023 + np.arange(ROWS) % 3
    np.testing.assert_array_equal(plan.assignment[0], np.where(year < 2024, TRAIN, np.where(year > 2024, 0, 2)))
    np.testing.assert_array_equal(plan.assignment[1], np.where(year < 2025, TRAIN, VALIDATE))
    assert plan.kind == "function"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("overlap", r"'plans:overlap', split 2: 1 rows are both trained on and validated, such as position 2"),
        ("outside", r"split 1: train holds position 60, but the table has 60 rows: positions are 0 to 59"),
        ("empty", r"split 2: validate is empty; every split needs rows"),
        ("mask", r"split 1: train: expected a list of whole numbers, .* bool .*np\.flatnonzero"),
        ("single", r"expected at least 2 splits, got 1"),
        ("triple", r"split 1: expected a pair \(train, validate\) of row positions, got tuple"),
        ("number", r"split 1: expected a pair .* got int"),
        ("twice", r"split 1: train holds 1 positions twice"),
        ("fails", r"'plans:fails': KeyError: 'nothing'"),
        ("absent", r"has no 'absent'"),
    ],
)
def test_functions_that_give_no_plan_are_told(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "plans.py").write_text(CODE)
    with pytest.raises(FactoryError, match=message):
        plan_of(labelled(), {"function": f"plans:{name}"}, tmp_path)


# --- file ------------------------------------------------------------------------------------------------------------


def test_a_file_gives_the_folds_by_row_by_id_or_as_an_assignment(tmp_path: Path) -> None:
    fold = np.arange(ROWS) % 3
    ids = [f"{row:03d}" for row in range(ROWS)]
    pd.DataFrame({"fold": fold}).to_csv(tmp_path / "rows.csv", index=False)
    shuffled = pd.DataFrame({"key": [*ids, "999"], "fold": [*fold, 0]}).sample(frac=1.0, random_state=0)
    shuffled.to_csv(tmp_path / "ids.csv", index=False)
    shuffled.to_parquet(tmp_path / "ids.parquet")
    np.save(tmp_path / "folds.npy", fold)
    frame = table(key=ids)
    first, _ = plan_of(frame, {"file": "rows.csv"}, tmp_path, id="key")
    np.save(tmp_path / "assignment.npy", first.assignment)
    first.save(tmp_path / "plan.npz")
    assert [first.validate(split)[0] for split in range(3)] == [0, 1, 2]
    for name in ("ids.csv", "ids.parquet", "folds.npy", "assignment.npy", "plan.npz"):
        assert plan_of(frame, {"file": name}, tmp_path, id="key")[0].key == first.key, name


@pytest.mark.parametrize(
    ("content", "id_", "message"),
    [
        ({"fold": range(ROWS - 1)}, None, r"expected a fold for each of the 60 rows .* got shape \(59,\)"),
        ({"a": range(ROWS), "fold": 1}, None, r"expected one column, the folds, got a, fold"),
        ({"a": range(ROWS), "fold": 1}, "key", r"expected the columns 'key' and a fold, got a, fold"),
        ({"key": range(1, ROWS + 1), "fold": 1}, "key", r"lacks 1 of the training table's ids, such as '0'"),
        ({"key": [1] * ROWS, "fold": 1}, "key", r"id 'key' must differ in every row"),
    ],
)
def test_files_that_give_no_plan_are_told(
    tmp_path: Path, content: dict[str, Any], id_: str | None, message: str
) -> None:
    pd.DataFrame(content).to_csv(tmp_path / "folds.csv", index=False)
    with pytest.raises(DataError, match=rf"folds\.csv.*{message}"):
        plan_of(table(key=range(ROWS)), {"file": "folds.csv"}, tmp_path, id=id_)


@pytest.mark.parametrize(("name", "content"), [("empty.npy", b""), ("cut.npz", b"PK\x03\x04abc"), ("none.npz", None)])
def test_files_that_are_cut_off_are_told(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is None:
        np.savez(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} cannot be read as an array of folds"):
        plan_of(table(), {"file": name}, tmp_path)
    with pytest.raises(DataError, match=rf"{name} is no fold plan"):
        FoldPlan.open(tmp_path / name)


# --- rare classes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["auto", "stratified", "kfold"])
def test_rare_classes_are_spread_and_a_single_row_is_always_trained_on(kind: str) -> None:
    y = np.array([0] * 30 + [1] * 24 + [2] * 3 + [3] * 2 + [4])
    frame = table(y=np.random.default_rng(0).permutation(y))
    plan, dataset = plan_of(frame, {"kind": kind}, metric="log_loss")
    only = int(np.flatnonzero(dataset.y == 4)[0])
    assert (plan.assignment[:, only] == TRAIN).all()
    for split in range(plan.splits):
        assert set(dataset.y[plan.train(split)]) == {0, 1, 2, 3, 4}
        if kind != "kfold":
            assert np.bincount(dataset.y[plan.validate(split)], minlength=5)[2:4].max() <= 1
    if kind != "kfold":
        assert (plan.assignment == VALIDATE).sum(axis=0).tolist() == [int(row != only) for row in range(ROWS)]
    assert len(plan.notices) == 1
    assert "classes of 'y' with fewer rows than the 5 folds: 2 (3), 3 (2), 4 (1)" in plan.notices[0]
    assert kind == "kfold" or "1 rows are always trained on and never validated" in plan.notices[0]


def test_a_table_of_rare_classes_alone_is_split() -> None:
    plan, dataset = plan_of(table(y=np.arange(ROWS) // 4), metric="log_loss")
    assert [len(plan.validate(split)) for split in range(5)] == [12] * 5
    assert all(len(set(dataset.y[plan.validate(split)])) == 12 for split in range(5))


def test_a_class_of_one_group_is_always_trained_on_if_it_is_small() -> None:
    g = np.arange(ROWS) // 3
    frame = table(g=g, y=np.where(g == 7, 2, np.arange(ROWS) % 2))
    plan, dataset = plan_of(frame, metric="log_loss", group="g")
    assert (plan.assignment[:, dataset.y == 2] == TRAIN).all()
    assert any("3 rows are always trained on" in notice for notice in plan.notices)
    with pytest.raises(DataError, match=r"\(group\) lacks class"):
        plan_of(table(g=g, y=g), metric="log_loss", group="g")


# --- extra rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kfold", "group", "time", "column"])
def test_extra_rows_are_trained_on_unless_their_group_is_validated(kind: str) -> None:
    g = np.arange(ROWS) // 6
    frame = table(g=g, t=np.arange(ROWS), f=g % 3)
    extra = frame.head(10).assign(g=["0", "9", *["new"] * 8])
    data: dict[str, Any] = {"group": {"group": "g"}, "time": {"time": "t", "drop": ["g"]}}.get(kind, {"drop": ["g"]})
    plan, dataset = plan_of(frame, {"column": "f"} if kind == "column" else {"repeats": 1}, extra=extra, **data)
    assert (plan.kind, plan.rows, dataset.extra) == (kind, ROWS + 10, 10)
    assert not (plan.assignment[:, ROWS:] == VALIDATE).any()
    for split in range(plan.splits):
        validated = set(g[plan.validate(split)]) if kind == "group" else set()
        expected = [UNUSED if group in validated else TRAIN for group in (0, 9, *[-1] * 8)]  # times are before all
        assert plan.assignment[split, ROWS:].tolist() == expected


@pytest.mark.parametrize("dates", [False, True])
def test_extra_rows_of_the_future_are_not_trained_on(dates: bool) -> None:
    steps = np.arange(ROWS)
    times: Any = pd.Timestamp("2026-01-01") + pd.to_timedelta(steps, unit="D") if dates else steps
    frame = table(t=times)
    extra = frame.assign(t=frame["t"].astype(str) if dates else frame["t"]).sample(frac=1.0, random_state=0)
    order = extra.index.to_numpy()
    plan, _ = plan_of(frame, extra=extra, time="t")
    for split in range(plan.splits):
        expected = np.where(order < plan.validate(split).min(), TRAIN, UNUSED)
        np.testing.assert_array_equal(plan.assignment[split, ROWS:], expected)
    assert (plan_of(frame, {"kind": "kfold"}, extra=extra, time="t")[0].assignment[:, ROWS:] == TRAIN).all()
    with pytest.raises(DataError, match=r"extra table extra\.csv has no column 't' \(data\.time\)"):
        plan_of(frame, extra=extra.drop(columns="t"), time="t", drop=["t"])
    other = extra.assign(t=steps if dates else "2026-01-01")
    kinds = "dates as in the training table, got numbers" if dates else "numbers as in the training table, got dates"
    with pytest.raises(DataError, match=rf"extra table extra\.csv: data\.time 't' must hold {kinds}"):
        plan_of(frame, extra=other, time="t", drop=["t"])
