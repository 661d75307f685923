"""Targets as a model's loss takes them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from workbench.models.problem import Problem
from workbench.training.keras_targets import broadcast, targets


class CategoricalCrossentropy:
    """Named as the loss of Keras is, by which it is known."""


ONE_HOT = [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("classes", "loss", "expected"),
    [
        (3, "sparse_categorical_crossentropy", [[1], [0]]),
        (3, "categorical_crossentropy", ONE_HOT),
        (3, {"out": CategoricalCrossentropy()}, ONE_HOT),
        (3, "mse", ONE_HOT),
        (3, lambda true, _: true, [[1], [0]]),
        (3, None, [[1], [0]]),
        (2, "binary_crossentropy", [[1], [0]]),
        (2, ["categorical_crossentropy"], [[0, 1], [1, 0]]),
        (0, "mse", [[1], [0]]),
    ],
)
def test_codes_or_indicators_by_the_loss(classes, loss, expected):
    task = {0: "regression", 2: "binary", 3: "multiclass"}[classes]
    problem = Problem(task, "accuracy", tuple(range(classes)))
    np.testing.assert_array_equal(targets(np.array([1, 0]), problem, SimpleNamespace(loss=loss)), expected)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        ("binary_crossentropy", 2, 2),
        ("binary_crossentropy", 1, 0),
        ("sparse_categorical_crossentropy", 2, 0),
    ],
)
def test_one_target_for_two_outputs_is_seen(loss, outputs, expected):
    assert broadcast(SimpleNamespace(loss=loss), np.zeros((4, outputs)), np.zeros((4, 1))) == expected
