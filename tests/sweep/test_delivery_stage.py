"""What is read back from an exported model, and how it is compared with training."""

import numpy as np
import pandas as pd
import pytest

from workbench.delivery.layout import OutputLayout, layout_frame
from workbench.delivery_stage import TOLERANCE, difference, read_back


def written(layout, prediction, ids, file):
    frame = layout_frame(prediction, layout, ids)
    frame.to_csv(file, index=False)
    return frame


@pytest.mark.parametrize("classes", [("01", "1"), ("NA", "None"), ("", " x"), ("1.0", "a")])
def test_text_labels_and_ids_come_back_as_they_were(classes, tmp_path):
    layout = OutputLayout(columns=("id", "y"), kind="label", id="id", classes=classes)
    frame = written(layout, np.array([[0.1], [0.9], [0.8]]), ["007", "NA", "x"], tmp_path / "p.csv")
    read = read_back(tmp_path / "p.csv", layout)
    assert read["y"].tolist() == frame["y"].tolist() == [classes[0], classes[1], classes[1]]
    assert read["id"].tolist() == ["007", "NA", "x"]


@pytest.mark.parametrize("classes", [(0, 1), (False, True)])
def test_labels_that_are_no_text_keep_their_type(classes, tmp_path):
    layout = OutputLayout(columns=("id", "y"), kind="label", id="id", classes=classes)
    frame = written(layout, np.array([[0.1], [0.9]]), [1, 2], tmp_path / "p.csv")
    assert read_back(tmp_path / "p.csv", layout)["y"].dtype == frame["y"].dtype


def test_values_come_back_and_gaps_stay_gaps(tmp_path):
    values = np.append(np.random.default_rng(0).normal(size=500) ** 9, np.nan)
    layout = OutputLayout(columns=("id", "y"), kind="value", id="id")
    written(layout, values[:, None], None, tmp_path / "p.csv")
    np.testing.assert_allclose(read_back(tmp_path / "p.csv", layout)["y"].to_numpy(), values, rtol=1e-14)


def test_a_value_near_0_may_differ_by_what_float32_gives():
    right = np.array([1e-9, -3.0, 200.0])
    assert difference(right + 1e-5, right) <= TOLERANCE
    assert difference(right[::-1], right) > TOLERANCE
    assert not difference(np.full(3, np.nan), right) <= TOLERANCE
    assert difference(np.zeros(2), np.zeros(2)) == 0.0
    assert difference(pd.Series([0.5, 0.501]).to_numpy(), np.array([0.5, 0.5])) > TOLERANCE
