"""Targets as a model's loss takes them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from workbench.models.problem import Problem
from workbench.training.keras_targets import broadcast, primary, targets
from workbench.types import InputSchema


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


def model_of(outputs, loss):
    """Return a model of several outputs: a function of the hidden layer, or of a class."""
    import keras

    inputs = keras.Input((2,))
    model = keras.Model(inputs, outputs(keras, inputs))
    model.compile("adam", loss)
    return model


def two(keras, x):
    return keras.layers.Dense(2, name="aside")(x), keras.layers.Dense(1, name="prediction")(x)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("outputs", "loss", "forms"),
    [
        (lambda k, x: [*two(k, x)], ["categorical_crossentropy", "binary_crossentropy"], [2, 1]),
        (lambda k, x: [*two(k, x)], {"prediction": "bce", "aside": "categorical_crossentropy"}, [2, 1]),
        (lambda k, x: [*two(k, x)], [None, "binary_crossentropy"], [1, 1]),
        (
            lambda k, x: dict(zip(("b", "prediction"), two(k, x), strict=True)),
            "categorical_hinge",
            {"b": 2, "prediction": 2},
        ),
        (
            lambda k, x: dict(zip(("prediction", "a"), two(k, x), strict=True)),
            {"a": "categorical_crossentropy"},
            {"prediction": 1, "a": 2},
        ),
        (lambda k, x: {"z": two(k, x)[0], "a": k.layers.Dense(1, name="a")(x)}, "bce", {"z": 1, "a": 1}),
    ],
)
def test_each_output_has_the_target_of_its_loss(outputs, loss, forms):
    import keras

    problem = Problem("binary", "accuracy", (0, 1))
    model = model_of(outputs, loss)
    found = targets(np.array([1, 0]), problem, model)
    assert keras.tree.map_structure(lambda y: y.shape[1], found) == forms
    # The one that is called so, by its key or else its layer; else the first, whatever the alphabet says.
    expected = {"prediction": "prediction", "b": "prediction", "z": "z"}
    chosen = primary(model, model.output)
    if isinstance(forms, list):
        assert chosen is model.output[1]
    else:
        assert chosen is model.output[expected[next(iter(forms))]]


@pytest.mark.keras
def test_a_class_says_what_it_returns_when_it_is_called():
    import keras

    class Pair(keras.Model):
        def call(self, x):
            return x[:, :1], {"rebuilt": x}

    model = Pair()
    model.compile("adam", ["binary_crossentropy", {"rebuilt": None}])
    problem = Problem("binary", "accuracy", (0, 1), InputSchema(numeric=("a", "b")))
    first, others = targets(np.array([1, 0]), problem, model)
    assert first.shape == others["rebuilt"].shape == (2, 1)
    x = np.ones((2, 2), dtype=np.float32)
    assert primary(model, model(x)).shape == (2, 1)
