from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import TrialFailed
from workbench.models.problem import Problem
from workbench.training.outputs import checked

BINARY = Problem("binary", "auc", ("no", "yes"))
THREE = Problem("multiclass", "log_loss", ("a", "b", "c"))
VALUE = Problem("regression", "rmse")


def test_a_vector_and_a_pair_of_probabilities_are_understood() -> None:
    p = np.array([0.2, 0.9])
    np.testing.assert_array_equal(checked(p, 2, BINARY), p[:, None])
    np.testing.assert_array_equal(checked(np.c_[1 - p, p], 2, BINARY), p[:, None])
    assert checked(np.zeros(3, dtype=np.float32), 3, VALUE).dtype == np.float64


@pytest.mark.parametrize(
    ("problem", "prediction"),
    [(BINARY, np.zeros((2, 3))), (THREE, np.zeros((2, 2))), (VALUE, np.zeros((2, 5))), (VALUE, np.zeros((3, 1)))],
)
def test_another_shape_names_both(problem: Problem, prediction: np.ndarray) -> None:
    with pytest.raises(TrialFailed, match=r"shape \(\d, \d\), expected \(2, \d\)") as caught:
        checked(prediction, 2, problem)
    assert caught.value.code == "shape"


@pytest.mark.parametrize("problem", [BINARY, VALUE])
def test_gaps_in_predictions_are_refused(problem: Problem) -> None:
    with pytest.raises(TrialFailed, match="1 of 2 predictions are not finite") as caught:
        checked(np.array([[0.5], [np.nan]]), 2, problem)
    assert caught.value.code == "nonfinite"


def test_logits_are_no_probabilities() -> None:
    with pytest.raises(TrialFailed, match="expected probabilities in"):
        checked(np.array([[-3.0], [2.0]]), 2, BINARY)
    with pytest.raises(TrialFailed, match="do not add up to 1"):
        checked(np.full((2, 3), 0.5), 2, THREE)


def test_two_outputs_that_are_no_softmax_are_refused() -> None:
    with pytest.raises(TrialFailed, match=r"two outputs do not add up to 1.*problem\.head") as caught:
        checked(np.array([[0.3, 0.6], [0.5, 0.5]]), 2, BINARY)
    assert caught.value.code == "shape"
    with pytest.raises(TrialFailed, match="1 of 4 predictions are not finite"):
        checked(np.array([[np.nan, 0.6], [0.5, 0.5]]), 2, BINARY)
