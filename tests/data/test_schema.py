"""Inference: kinds, what is ignored and why, corrections, the task and its classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.config import DataConfig
from workbench.data.schema import infer_schema
from workbench.errors import DataError
from workbench.types import Column, Needs, Schema, Task

ROWS = 60


def infer(
    *,
    target: Any = None,
    task: Task | None = None,
    needs: Needs = "values",
    config: dict[str, Any] | None = None,
    **columns: Any,
) -> tuple[Schema, str]:
    frame = pd.DataFrame({"base": np.arange(ROWS) % 7, **columns})
    frame["y"] = np.arange(ROWS) * 0.5 if target is None else target
    data = DataConfig.model_validate({"train": "train.csv", "target": "y", **(config or {})})
    schema, notices = infer_schema(frame, data, task=task, metric_needs=needs)
    return schema, "\n".join(notices)


def column(schema: Schema, name: str) -> Column:
    return next(column for column in schema.columns if column.name == name)


def cycle(*values: Any) -> pd.Series:
    return pd.Series([values[row % len(values)] for row in range(ROWS)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2, 3), Column(name="c", kind="numeric")),
        ((0, 1), Column(name="c", kind="numeric")),
        ((0.5, np.nan, 1.0), Column(name="c", kind="numeric", missing=True)),
        (("1", "2.5", " "), Column(name="c", kind="numeric", missing=True)),
        ((True, False), Column(name="c", kind="boolean")),
        ((True, False, None), Column(name="c", kind="boolean", missing=True)),
        (("Yes", "No"), Column(name="c", kind="boolean")),
        (("TRUE", "false", ""), Column(name="c", kind="boolean", missing=True)),
        (("2026-01-02", "2026-01-03T10:00"), Column(name="c", kind="datetime")),
        ((pd.Timestamp("2026-01-02"), pd.NaT), Column(name="c", kind="datetime", missing=True)),
        (("t", "f"), Column(name="c", kind="categorical", size=2)),
        (("Yes", "No", "Maybe"), Column(name="c", kind="categorical", size=3)),
        (("a", "b", None), Column(name="c", kind="categorical", size=2, missing=True)),
        (("x", "3", "3.0", 3), Column(name="c", kind="categorical", size=2)),
        (("2026-01-02", "today"), Column(name="c", kind="categorical", size=2)),
        ((1.0, np.nan), Column(name="c", kind="numeric", missing=True)),
    ],
)
def test_kinds(values: tuple[Any, ...], expected: Column) -> None:
    schema, _ = infer(c=cycle(*values))
    assert column(schema, "c") == expected


def test_a_categorical_dtype_of_numbers_is_categorical() -> None:
    schema, _ = infer(c=cycle(1, 2, 3).astype("category"))
    assert column(schema, "c") == Column(name="c", kind="categorical", size=3)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("c", cycle(7), "every cell is the same"),
        ("c", cycle(None), "every cell is empty"),
        ("c", cycle(np.nan), "every cell is empty"),
        ("c", cycle("", " "), "every cell is empty"),
        ("c", pd.Series([f"Mr {row}" for row in range(ROWS)]), "nearly every text is different"),
        ("Id", pd.Series(range(ROWS)), "look like a row's identifier"),
        ("customer_id", pd.Series(range(900, 900 + ROWS)), "look like a row's identifier"),
        ("Unnamed: 0", pd.Series(range(ROWS)), "look like a row's identifier"),
    ],
)
def test_what_cannot_be_learned_from_is_ignored_with_a_notice(name: str, values: pd.Series, reason: str) -> None:
    schema, notices = infer(**{name: values})
    assert column(schema, name).kind == "ignored"
    assert f"column '{name}': ignored as" in notices
    assert reason in notices


@pytest.mark.parametrize(
    ("name", "values"), [("grid", range(ROWS)), ("id", np.arange(ROWS) % 9), ("time", range(ROWS))]
)
def test_what_only_resembles_an_identifier_is_kept(name: str, values: Any) -> None:
    assert column(infer(**{name: values})[0], name).kind == "numeric"


def test_many_ignored_columns_make_one_notice() -> None:
    _, notices = infer(**{f"c{number}": cycle(1) for number in range(30)})
    assert len(notices.splitlines()) == 1
    assert "and 20 more" in notices


def test_numbers_that_a_few_cells_made_text_are_told() -> None:
    _, notices = infer(c=[*(str(row // 3) for row in range(ROWS - 1)), "?"])
    assert "'c': categorical, though nearly every cell is a number" in notices
    assert "'?'" in notices


def test_parts_are_not_features() -> None:
    schema, notices = infer(
        key=range(ROWS),
        g=cycle(1, 2),
        w=cycle(1.0, 2.0),
        junk=cycle(1, 2),
        config={"id": "key", "group": "g", "weight": "w", "drop": ["junk"]},
    )
    assert [feature.name for feature in schema.features] == ["base"]
    assert {c.name: c.cells for c in schema.columns if c.kind == "ignored"} == {
        "key": "numeric",
        "g": "numeric",
        "w": None,
        "junk": "numeric",
    }
    assert "'g': not shown to models as it is the group" in notices


def test_corrections_win() -> None:
    schema, _ = infer(
        c=cycle(1, 2, 3),
        Id=range(ROWS),
        flat=cycle(1),
        config={"columns": {"c": "categorical", "Id": "numeric", "base": "ignored", "flat": "boolean"}},
    )
    assert column(schema, "c") == Column(name="c", kind="categorical", size=3)
    assert column(schema, "Id").kind == "numeric"
    assert column(schema, "base").kind == "ignored"
    assert column(schema, "flat").kind == "boolean"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"columns": {"bse": "numeric"}}, "data.columns names 'bse'.*Did you mean 'base'"),
        ({"drop": ["bse"]}, "data.drop names 'bse'.*Did you mean 'base'"),
        ({"columns": {"y": "numeric"}}, "data.columns names the target 'y'"),
        ({"columns": {"base": "boolean"}}, "column 'base' is boolean, expected true/false"),
        ({"columns": {"base": "datetime"}}, "column 'base' is datetime, expected ISO 8601"),
        ({"drop": ["base"]}, "no feature column is left"),
        ({"id": "base", "columns": {"base": "numeric"}}, "names the id 'base'"),
    ],
)
def test_wrong_configurations_are_told(config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer(config=config)


@pytest.mark.parametrize(
    ("target", "needs", "task", "expected", "classes"),
    [
        (cycle(1, 2, 3), "values", None, "regression", ()),
        (cycle(0, 1), "probabilities", None, "binary", (0, 1)),
        (cycle(1.0, 0.0), "labels", None, "binary", (0, 1)),
        (cycle(10, 9, 2), "labels", None, "multiclass", (2, 9, 10)),
        (cycle("b", "B", "a"), "probabilities", None, "multiclass", ("B", "a", "b")),
        (cycle("Yes", "No"), "probabilities", None, "binary", ("No", "Yes")),
        (cycle(True, False), "values", None, "binary", (False, True)),
        (cycle(0, 1), "values", "binary", "binary", (0, 1)),
        (cycle(0.5, 1.5, 2.0), "labels", None, "multiclass", (0.5, 1.5, 2)),
        (np.arange(ROWS) * 0.5, "labels", "multiclass", "multiclass", None),
    ],
)
def test_tasks_and_classes(target: Any, needs: Needs, task: Task | None, expected: Task, classes: Any) -> None:
    schema, _ = infer(target=target, needs=needs, task=task)
    assert schema.task == expected
    assert classes is None or schema.classes == classes
    assert [type(label) for label in schema.classes] == [type(label) for label in classes or schema.classes]


@pytest.mark.parametrize(
    ("target", "needs", "task", "message"),
    [
        (cycle("a", "b"), "values", None, "holds text such as 'a', but the metric compares numbers"),
        (None, "probabilities", None, "the metric needs classes, but target 'y' has 60 distinct numbers"),
        (cycle(1, 2, 3), "labels", "binary", "task is 'binary', but target 'y' has 3 classes: 1, 2, 3"),
        (cycle(1, 2), "labels", "multiclass", "task is 'multiclass', but target 'y' has 2 classes"),
        (None, "probabilities", "regression", "task is 'regression', but the metric needs probabilities"),
        (cycle("a", "b"), "values", "regression", "expected a target of numbers, got text such as 'a'"),
    ],
)
def test_what_does_not_fit_together_is_told(target: Any, needs: Needs, task: Task | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer(target=target, needs=needs, task=task)


@pytest.mark.parametrize(
    ("labels", "positive", "classes"),
    [
        ((0, 1), 0, (1, 0)),
        (("no", "yes"), "no", ("yes", "no")),
        (("no", "yes"), False, ("yes", "no")),
        ((0, 1), "1", (0, 1)),
    ],
)
def test_the_positive_class_is_second(labels: Any, positive: Any, classes: Any) -> None:
    schema, _ = infer(target=cycle(*labels), needs="labels", config={"positive": positive})
    assert schema.classes == classes


def test_an_unknown_positive_class_is_told() -> None:
    with pytest.raises(DataError, match=r"data\.positive is 'sik', expected a class .*Did you mean 'sick'"):
        infer(target=cycle("sick", "well"), needs="labels", config={"positive": "sik"})
    with pytest.raises(DataError, match=r"data\.positive is for two classes"):
        infer(target=cycle(1, 2, 3), needs="labels", config={"positive": 1})


def test_a_schema_survives_json() -> None:
    schema, _ = infer(target=cycle(True, False), needs="labels", c=cycle("a", None))
    again = Schema.model_validate_json(schema.model_dump_json())
    assert again == schema
    assert [type(label) for label in again.classes] == [bool, bool]
