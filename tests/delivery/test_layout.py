"""Layouts: what the sample shows, or id and target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.delivery.layout import OutputLayout, layout_frame, make_layout
from workbench.delivery.submission import check_submission
from workbench.delivery_stage import read_back
from workbench.errors import DataError
from workbench.types import Column, Needs, Schema

FEATURES = (Column(name="a", kind="numeric"), Column(name="Key", kind="ignored"))
REGRESSION = Schema(columns=FEATURES, target="y", task="regression", id="id")
BINARY = Schema(columns=FEATURES, target="y", task="binary", id="id", classes=("no", "yes"))
THREE = Schema(columns=FEATURES, target="y", task="multiclass", id="id", classes=("C", "CL", "D"))


def sample(*columns: str, **values: object) -> pd.DataFrame:
    return pd.DataFrame({name: values.get(name, [0, 0]) for name in columns})


@pytest.mark.parametrize(
    ("schema", "needs", "kind", "columns"),
    [
        (REGRESSION, "values", "value", ("id", "y")),
        (BINARY, "probabilities", "probability", ("id", "y")),
        (BINARY, "labels", "label", ("id", "y")),
        (THREE, "probabilities", "class_probabilities", ("id", "C", "CL", "D")),
        (THREE, "labels", "label", ("id", "y")),
    ],
)
def test_without_a_sample(schema: Schema, needs: Needs, kind: str, columns: tuple[str, ...]) -> None:
    layout = make_layout(schema, needs)
    assert (layout.kind, layout.columns, layout.id_source) == (kind, columns, "id")
    assert OutputLayout.model_validate_json(layout.model_dump_json()) == layout


def test_without_an_id_the_position_is_the_id() -> None:
    layout = make_layout(REGRESSION.model_copy(update={"id": None}), "values")
    frame = layout_frame(np.array([[5.0], [6.0]]), layout)
    assert layout.id_source is None
    assert frame.to_dict("list") == {"id": [0, 1], "y": [5.0, 6.0]}


def test_a_class_called_like_the_id_does_not_collide_with_it() -> None:
    schema = THREE.model_copy(update={"classes": ("id", "b", "c")})
    assert make_layout(schema, "probabilities").columns == ("id", "y_id", "y_b", "y_c")


@pytest.mark.parametrize("names", [("id", "y"), ("y", "id")])
def test_columns_and_their_order_are_the_samples(names: tuple[str, str]) -> None:
    layout = make_layout(REGRESSION, "values", sample(*names))
    assert layout.columns == names
    assert list(layout_frame(np.zeros((2, 1)), layout, ["p", "q"]).columns) == list(names)


def test_a_samples_own_names_are_kept() -> None:
    layout = make_layout(BINARY, "probabilities", sample("PassengerId", "Chance"))
    assert (layout.id, layout.id_source, layout.predictions) == ("PassengerId", "id", ("Chance",))


def test_an_id_that_only_the_sample_names_is_read_from_its_column() -> None:
    layout = make_layout(REGRESSION.model_copy(update={"id": None}), "values", sample("Key", "y"))
    assert (layout.id, layout.id_source) == ("Key", "Key")


def test_a_sample_of_the_prediction_alone_has_no_id() -> None:
    layout = make_layout(REGRESSION, "values", sample("y"))
    assert (layout.id, layout.id_source) == (None, None)
    assert layout_frame(np.ones((2, 1)), layout, ["p", "q"]).to_dict("list") == {"y": [1.0, 1.0]}


@pytest.mark.parametrize("prefix", ["", "Status_"])
def test_columns_of_classes_take_a_probability_each_in_the_samples_order(prefix: str) -> None:
    names = ("id", f"{prefix}D", f"{prefix}C", f"{prefix}CL")
    layout = make_layout(THREE, "probabilities", sample(*names))
    frame = layout_frame(np.array([[0.1, 0.2, 0.7]]), layout, [9])
    assert layout.kind == "class_probabilities"
    assert frame.iloc[0].to_dict() == {"id": 9, f"{prefix}D": 0.7, f"{prefix}C": 0.1, f"{prefix}CL": 0.2}


def test_two_columns_of_a_binary_task_sum_to_one() -> None:
    frame = layout_frame(np.array([[0.25]]), make_layout(BINARY, "probabilities", sample("id", "no", "yes")), [1])
    assert frame.iloc[0][["no", "yes"]].tolist() == [0.75, 0.25]


def test_a_sample_of_text_labels_gets_labels_though_the_metric_takes_probabilities() -> None:
    layout = make_layout(BINARY, "probabilities", sample("id", "y", y=["no", "yes"]))
    assert layout_frame(np.array([[0.4], [0.6]]), layout, [1, 2])["y"].tolist() == ["no", "yes"]


@pytest.mark.parametrize("classes", [(False, True), (0, 1), (1.5, 2.5)])
def test_labels_keep_their_type(classes: tuple[object, object]) -> None:
    schema = BINARY.model_copy(update={"classes": classes})
    column = layout_frame(np.array([[0.9], [0.1]]), make_layout(schema, "labels"), [1, 2])["y"]
    assert column.tolist() == [classes[1], classes[0]]
    assert column.dtype == np.array(classes).dtype


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("id", "u", "v"), r"one column to predict \('y'\).* got 'id', 'u', 'v'"),
        ((), "must be there and differ"),
    ],
)
def test_a_sample_that_cannot_be_read_is_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_layout(REGRESSION, "values", sample(*names))


def test_class_columns_beside_two_others_are_refused() -> None:
    with pytest.raises(DataError, match="beside the classes' and one id"):
        make_layout(THREE, "probabilities", sample("id", "fold", "C", "CL", "D"))


def test_predictions_of_another_width_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(rows, 3\), got \(2, 1\)"):
        layout_frame(np.zeros((2, 1)), make_layout(THREE, "probabilities"))


def test_several_labels_in_a_cell_are_a_ranking() -> None:
    """As many as the metric ranks, of equals the earlier class first, as the metric has them."""
    shown = sample("id", "y", y=["C D", "CL C"])
    layout = make_layout(THREE, "probabilities", shown, ranked=5)
    assert (layout.kind, layout.ranked) == ("ranking", 3)
    assert make_layout(THREE, "probabilities", shown).ranked == 2
    layout = make_layout(THREE, "probabilities", shown, ranked=2)
    prediction = np.array([[0.2, 0.3, 0.5], [0.4, 0.2, 0.4], [0.0, 1.0, 0.0]])
    frame = layout_frame(prediction, layout, [1, 2, 3])
    assert frame["y"].tolist() == ["D CL", "C D", "CL C"]
    check_submission(frame, layout, [1, 2, 3])
    wrong = frame.assign(y=["D", "C C", "CL X"])
    with pytest.raises(DataError, match="1 labels are not classes: 'X'; 2 rows do not hold 2 different labels"):
        check_submission(wrong, layout, [1, 2, 3])


def test_one_label_or_names_with_spaces_are_no_ranking() -> None:
    assert make_layout(THREE, "probabilities", sample("id", "y", y=["C", "D"]), ranked=3).kind == "label"
    spaced = THREE.model_copy(update={"classes": ("New York", "Rome", "Paris")})
    assert make_layout(spaced, "probabilities", sample("id", "y", y=["New York", "Rome"])).kind == "label"
    with pytest.raises(DataError, match=r"'Cl' is no class\. Did you mean 'CL'"):
        make_layout(THREE, "probabilities", sample("id", "y", y=["C Cl", "C D"]), ranked=2)


def test_a_ranking_of_whole_numbers_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    whole = THREE.model_copy(update={"classes": (1, 2, 30)})
    layout = make_layout(whole, "probabilities", sample("id", "y", y=["1 2", "30 2"]), ranked=1)
    frame = layout_frame(np.eye(3), layout, [1, 2, 3])
    frame.to_csv(tmp_path / "p.csv", index=False)
    assert read_back(tmp_path / "p.csv", layout)["y"].tolist() == frame["y"].tolist() == ["1", "2", "30"]
