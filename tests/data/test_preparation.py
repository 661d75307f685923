"""Preparations and target transforms: widths from the schema, statistics from the fold, rows alone as in the table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import registry
from workbench.data.category_encodings import MOST_ONE_HOT, WIDEST
from workbench.data.preparation import (
    JoinedPreparation,
    NativePreparation,
    OneHotPreparation,
    OrdinalPreparation,
    Prepared,
    QuantilePreparation,
    ScaledPreparation,
    TargetPreparation,
)
from workbench.data.quantiles import MOST_LANDMARKS, NormalQuantiles
from workbench.data.scaler import RobustScaler
from workbench.data.schema import conform
from workbench.data.vocabulary import MOST_CODES, Vocabulary, code_size
from workbench.errors import WorkbenchError
from workbench.types import Column, Schema

SCHEMA = Schema(
    columns=(
        Column(name="when", kind="datetime", missing=True),
        Column(name="a", kind="numeric", missing=True),
        Column(name="kind", kind="categorical", size=4),
        Column(name="flag", kind="boolean", missing=True),
        Column(name="b", kind="numeric"),
        Column(name="place", kind="categorical", size=2),
        Column(name="note", kind="ignored"),
    ),
    target="y",
    task="regression",
)
NUMBERS = st.one_of(st.just(np.nan), st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float))
CELLS = {
    "when": st.one_of(st.none(), st.datetimes().map(str)),
    "a": NUMBERS,
    "b": NUMBERS,
    "kind": st.sampled_from([None, "p", "q", "r", "s"]),
    "flag": st.sampled_from([None, True, False]),
    "place": st.sampled_from([None, "here", "there"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12)
PREPARATIONS = {
    "scaled": ScaledPreparation,
    "native": NativePreparation,
    "one_hot": OneHotPreparation,
    "ordinal": OrdinalPreparation,
    "quantile": QuantilePreparation,
    "target": TargetPreparation,
}
every_preparation = pytest.mark.parametrize("kind", PREPARATIONS.values(), ids=PREPARATIONS)
Kind = type[JoinedPreparation]


def conformed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in CELLS})
    return conform(frame, SCHEMA, origin="t")


def equal(left: Prepared, right: Prepared) -> None:
    assert left.numeric.tobytes() == right.numeric.tobytes()
    assert left.categorical.tobytes() == right.categorical.tobytes()


@every_preparation
@given(train=ROWS, rows=ROWS)
@settings(deadline=None, max_examples=12)
def test_rows_transformed_alone_are_bit_for_bit_those_of_the_table(kind: Kind, train: Any, rows: Any) -> None:
    preparation = kind(SCHEMA)
    preparation.fit_transform(conformed(train), np.zeros(len(train)))
    table = conformed(rows)
    whole = preparation.transform(table)
    for row in range(len(table)):
        equal(preparation.transform(table.iloc[[row]]), whole.take(np.array([row])))


@every_preparation
@given(rows=ROWS, others=ROWS, data=st.data())
@settings(deadline=None, max_examples=12)
def test_validation_rows_move_nothing_that_is_fitted(kind: Kind, rows: Any, others: Any, data: Any) -> None:
    validated = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    train = np.flatnonzero(~np.array(validated))
    changed = [
        others[i % len(others)] if out else row for i, (row, out) in enumerate(zip(rows, validated, strict=True))
    ]
    states, prepared = [], []
    for table, labels in ((rows, np.zeros(len(rows))), (changed, np.where(validated, 1e6, 0.0))):
        preparation = kind(SCHEMA)
        prepared.append(preparation.fit_transform(conformed(table).iloc[train], labels[train]))
        states.append(json.dumps(preparation.state()))
    assert states[0] == states[1]
    equal(prepared[0], prepared[1])


@every_preparation
@given(train=ROWS, rows=ROWS)
@settings(deadline=None, max_examples=12)
def test_the_state_survives_json(kind: Kind, train: Any, rows: Any) -> None:
    preparation = kind(SCHEMA)
    preparation.fit_transform(conformed(train), np.zeros(len(train)))
    again = kind.from_state(SCHEMA, json.loads(json.dumps(preparation.state())))
    equal(again.transform(conformed(rows)), preparation.transform(conformed(rows)))


@every_preparation
@given(train=ROWS, rows=ROWS)
@settings(deadline=None, max_examples=12)
def test_widths_and_sizes_are_the_schemas_whatever_the_fold(kind: Kind, train: Any, rows: Any) -> None:
    preparation = kind(SCHEMA)
    inputs = preparation.inputs
    for prepared in (
        preparation.fit_transform(conformed(train), np.zeros(len(train))),
        preparation.transform(conformed(rows)),
    ):
        assert prepared.numeric.shape == (len(prepared), len(inputs.numeric))
        assert prepared.categorical.shape == (len(prepared), len(inputs.categorical))
        assert prepared.matrix().shape == (len(prepared), len(inputs.numeric) + len(inputs.categorical))
        assert (prepared.numeric.dtype, prepared.categorical.dtype) == (np.float64, np.int32)
        assert (prepared.categorical >= 0).all()
        assert (prepared.categorical < np.array(inputs.sizes)).all()
        assert not np.isinf(prepared.numeric).any()
    assert inputs.sizes == ((5, 3) if inputs.categorical else ())


@given(train=ROWS, rows=ROWS)
@settings(deadline=None, max_examples=12)
def test_scaled_numbers_have_no_gaps_and_are_small(train: Any, rows: Any) -> None:
    preparation = ScaledPreparation(SCHEMA)
    preparation.fit_transform(conformed(train), np.zeros(len(train)))
    numeric = preparation.transform(conformed(rows)).numeric
    assert np.isfinite(numeric).all()
    assert (np.abs(numeric) <= 3.0 + 1e-9).all()


def table() -> pd.DataFrame:
    rows = [
        {"when": "2026-11-20 17:30:00", "a": 1.0, "b": 0.0, "kind": "q", "flag": True, "place": "here"},
        {"when": None, "a": np.nan, "b": 1.0, "kind": "p", "flag": None, "place": None},
        {"when": "1970-01-02", "a": 3.0, "b": 2.0, "kind": "q", "flag": False, "place": "there"},
        {"when": "2026-11-22", "a": 5.0, "b": 3.0, "kind": "r", "flag": False, "place": "there"},
    ]
    return conformed(rows)


def test_native_columns_hold_what_their_names_say() -> None:
    preparation = NativePreparation(SCHEMA)
    prepared = preparation.fit_transform(table(), np.zeros(4))
    columns = dict(zip(preparation.inputs.numeric, prepared.numeric.T, strict=True))
    np.testing.assert_array_equal(columns["a"], [1.0, np.nan, 3.0, 5.0])
    np.testing.assert_array_equal(columns["flag"], [1.0, np.nan, 0.0, 0.0])
    np.testing.assert_array_equal(columns["when.year"], [2026, np.nan, 1970, 2026])
    np.testing.assert_array_equal(columns["when.month"], [11, np.nan, 1, 11])
    np.testing.assert_array_equal(columns["when.weekday"], [4, np.nan, 4, 6])
    np.testing.assert_array_equal(columns["when.hour"], [17, np.nan, 0, 0])
    assert columns["when.days"][2] == 1.0
    assert columns["when.days"][0] % 1 == pytest.approx(17.5 / 24)
    np.testing.assert_array_equal(prepared.categorical, [[1, 2], [2, 0], [1, 1], [3, 1]])


def test_scaled_columns_hold_what_their_names_say() -> None:
    preparation = ScaledPreparation(SCHEMA)
    prepared = preparation.fit_transform(table(), np.zeros(4))
    columns = dict(zip(preparation.inputs.numeric, prepared.numeric.T, strict=True))
    np.testing.assert_array_equal(columns["flag"], [0.5, 0.0, -0.5, -0.5])
    np.testing.assert_array_equal(columns["a (missing)"], [0.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(columns["when (missing)"], [0.0, 1.0, 0.0, 0.0])
    assert "b (missing)" not in columns
    # median 3, quartiles 2 and 4; (1 - 3) / 2 = -1, clipped to -1 / sqrt(1 + 1/9)
    np.testing.assert_allclose(columns["a"], np.array([-1.0, 0.0, 0.0, 1.0]) / np.sqrt(10.0 / 9.0))


@pytest.mark.parametrize(
    ("values", "center", "scale"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.0),
        ([0.0] * 9 + [10.0], 0.0, 3.0),
        ([4.0, 4.0], 4.0, 1.0),
        ([np.nan, np.nan], 0.0, 1.0),
        ([-1e308, -1e308, 1e308, 1e308], -1e308, 1.0),
    ],
)
def test_centres_and_scales(values: list[float], center: float, scale: float) -> None:
    scaler = RobustScaler.fit(np.array(values)[:, None])
    assert scaler.center == pytest.approx((center,))
    assert scaler.scale == pytest.approx((scale,))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_scaling_keeps_the_order(values: list[float]) -> None:
    column = np.sort(np.array(values))[:, None]
    assert (np.diff(RobustScaler.fit(column).transform(column)[:, 0]) >= -1e-12).all()


def test_codes_fall_with_frequency_and_ties_go_by_text() -> None:
    column = pd.Series(["b", "c", "c", None, "a"], dtype=object)
    vocabulary = Vocabulary.fit(column, code_size(3))
    assert vocabulary.categories == ("c", "a", "b")
    assert vocabulary.transform(pd.Series(["a", "z", None, "c"], dtype=object)).tolist() == [2, 0, 0, 1]


def test_rare_categories_share_code_0() -> None:
    names = [f"{number:05d}" for number in range(3000)]
    column = pd.Series(names + names[-5:], dtype=object)
    vocabulary = Vocabulary.fit(column, code_size(3000))
    codes = vocabulary.transform(column)
    assert code_size(3000) == MOST_CODES
    assert codes.max() == MOST_CODES - 1
    assert codes[-5:].tolist() == [1, 2, 3, 4, 5]
    assert codes[2000] == 0


def test_ordinal_numbers_are_plain_and_their_gaps_the_median() -> None:
    preparation = OrdinalPreparation(SCHEMA)
    prepared = preparation.fit_transform(table(), np.zeros(4))
    columns = dict(zip(preparation.inputs.numeric, prepared.numeric.T, strict=True))
    np.testing.assert_array_equal(columns["a"], [1.0, 3.0, 3.0, 5.0])
    np.testing.assert_array_equal(columns["a (missing)"], [0.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize("kind", [NativePreparation, OrdinalPreparation, TargetPreparation])
def test_numbers_that_float32_cannot_hold_are_cut_in_fit_and_transform(kind: Kind) -> None:
    frame = conformed([{**table().iloc[row].to_dict(), "a": value} for row, value in enumerate([1e39, -1e300, 1e39])])
    preparation = kind(SCHEMA)
    fitted = preparation.fit_transform(frame, np.zeros(3))
    largest = float(np.finfo(np.float32).max)
    for prepared in (fitted, preparation.transform(frame)):
        at = preparation.inputs.numeric.index("a")
        np.testing.assert_array_equal(prepared.numeric[:, at], [largest, -largest, largest])
        assert np.isfinite(prepared.numeric[:, at].astype(np.float32)).all()
    assert frame["a"].tolist() == [1e39, -1e300, 1e39]


def test_one_hot_columns_go_by_frequency_and_pool_the_rest() -> None:
    preparation = OneHotPreparation(SCHEMA)
    prepared = preparation.fit_transform(table(), np.zeros(4))
    columns = dict(zip(preparation.inputs.numeric, prepared.numeric.T, strict=True))
    np.testing.assert_array_equal(columns["kind#1"], [1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(columns["place#0"], [0.0, 1.0, 0.0, 0.0])
    assert [name for name in columns if name.startswith("kind")] == [f"kind#{code}" for code in range(5)]
    assert prepared.categorical.shape == (4, 0)


def test_quantiles_are_normal_and_ties_share_their_mean_rank() -> None:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.lognormal(sigma=3, size=2000), np.r_[np.zeros(1500), np.ones(500)]])
    quantiles = NormalQuantiles.fit(values)
    scores = quantiles.transform(values)
    assert abs(scores[:, 0].mean()) < 0.01
    assert abs(scores[:, 0].std() - 1) < 0.02
    assert len(quantiles.values[0]) == MOST_LANDMARKS
    # ranks 0.375 and 0.875
    np.testing.assert_allclose(np.unique(scores[:, 1]), [-0.31864, 1.15035], atol=1e-5)
    np.testing.assert_array_equal(quantiles.transform(np.array([[np.nan, 9.0]]))[0], [0.0, scores[:, 1].max()])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_quantiles_keep_the_order(values: list[float]) -> None:
    column = np.sort(np.array(values))[:, None]
    assert (np.diff(NormalQuantiles.fit(column).transform(column)[:, 0]) >= 0).all()


def targets(task: str, rows: int) -> tuple[Schema, pd.DataFrame, Any]:
    names = np.random.default_rng(0).choice(["p", "q", "r"], rows)
    y = np.where(names == "p", 1, 0) if task != "regression" else np.where(names == "p", 7.0, 3.0)
    classes = {"binary": ("n", "y"), "multiclass": ("n", "y", "z"), "regression": ()}[task]
    column = Column(name="kind", kind="categorical", size=3)
    schema = Schema(columns=(column,), target="y", task=task, classes=classes)
    return schema, pd.DataFrame({"kind": pd.Series(names, dtype=object)}), y


@pytest.mark.parametrize(("task", "width"), [("binary", 1), ("multiclass", 3), ("regression", 1)])
def test_target_encoding_is_the_smoothed_mean(task: str, width: int) -> None:
    schema, frame, y = targets(task, 600)
    preparation = TargetPreparation(schema)
    trained = preparation.fit_transform(frame, y).numeric
    rows = preparation.transform(pd.DataFrame({"kind": pd.Series(["p", "q", "never", None], dtype=object)})).numeric
    assert trained.shape == (600, width)
    yes = rows[:, -2 if task == "multiclass" else 0]
    assert yes[0] - yes[1] > 0.8
    assert yes[2] == yes[3] == pytest.approx(0.0 if task == "regression" else y.mean())
    if task == "multiclass":
        np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_target_encoding_of_noise_tells_a_training_row_nothing_of_its_own_target() -> None:
    rng = np.random.default_rng(0)
    schema = Schema(columns=(Column(name="kind", kind="categorical", size=500),), target="y", task="regression")
    frame = pd.DataFrame({"kind": pd.Series(rng.integers(0, 500, 1000).astype(str), dtype=object)})
    y = rng.normal(size=1000)
    preparation = TargetPreparation(schema)
    assert abs(np.corrcoef(preparation.fit_transform(frame, y).numeric[:, 0], y)[0, 1]) < 0.1
    assert np.corrcoef(preparation.transform(frame).numeric[:, 0], y)[0, 1] > 0.4


@pytest.mark.parametrize("kind", [OneHotPreparation, TargetPreparation])
def test_a_hundred_thousand_categories_do_not_explode(kind: Kind) -> None:
    columns = tuple(Column(name=f"c{i}", kind="categorical", size=100_000) for i in range(10))
    classes = tuple(f"k{i}" for i in range(100))
    schema = Schema(columns=columns, target="y", task="multiclass", classes=classes)
    cells = pd.Series([f"v{i}" for i in range(50)], dtype=object)
    preparation = kind(schema)
    prepared = preparation.fit_transform(pd.DataFrame({c.name: cells for c in columns}), np.arange(50))
    assert prepared.numeric.shape[1] == len(preparation.inputs.numeric) <= WIDEST
    one = OneHotPreparation(Schema(columns=columns[:1], target="y", task="binary", classes=("a", "b")))
    assert len(one.inputs.numeric) == MOST_ONE_HOT


@pytest.mark.parametrize(("rows", "most"), [(0, 512), (65_536, 512), (150_000, 223), (1_000_000, 33), (10**9, 20)])
def test_one_hot_columns_are_fewer_where_rows_are_many(rows: int, most: int) -> None:
    columns = tuple(Column(name=f"c{i}", kind="categorical", size=100) for i in range(10))
    schema = Schema(columns=columns, target="y", task="regression", rows=rows)
    preparation = OneHotPreparation(schema)
    assert most - 10 < len(preparation.inputs.numeric) <= most
    cells = pd.Series([f"v{i}" for i in range(200)], dtype=object)
    frame = pd.DataFrame({c.name: cells for c in columns})
    preparation.fit_transform(frame, np.zeros(200))
    stored = Schema.model_validate(schema.model_dump(mode="json"))
    again = OneHotPreparation.from_state(stored, preparation.state()).transform(frame)
    np.testing.assert_array_equal(again.numeric, preparation.transform(frame).numeric)


@every_preparation
def test_nothing_is_transformed_before_it_is_fitted(kind: Kind) -> None:
    with pytest.raises(WorkbenchError, match="has to be fitted"):
        kind(SCHEMA).transform(table())
    with pytest.raises(WorkbenchError, match="before it is fitted"):
        kind(SCHEMA).state()


@pytest.mark.parametrize(("name", "kind"), PREPARATIONS.items())
def test_the_registry_knows_them(name: str, kind: Kind) -> None:
    assert registry.resolve("preparations", name) is kind


@every_preparation
@pytest.mark.parametrize("only", ["a", "kind", "flag", "when"])
def test_tables_of_one_column_are_prepared(kind: Kind, only: str) -> None:
    schema = Schema(columns=tuple(c for c in SCHEMA.columns if c.name == only), target="y", task="regression")
    prepared = kind(schema).fit_transform(table()[[only]], np.zeros(4))
    assert prepared.matrix().shape[0] == 4
    assert prepared.matrix().shape[1] >= 1
