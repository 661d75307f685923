"""Initial weights under another seed are those of a build under it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from workbench.training.build import seeded

pytestmark = pytest.mark.keras


def _layers() -> list[Any]:
    from keras import initializers, layers

    from workbench.models.dropout import Dropout
    from workbench.models.layers import MembersDense

    shared = initializers.HeNormal()
    return [
        layers.Dense(40, "relu", kernel_initializer=shared),
        layers.Dense(40, kernel_initializer=shared),
        layers.BatchNormalization(),
        layers.Dense(30, kernel_initializer=initializers.RandomNormal(seed=7)),
        Dropout(0.2),
        layers.Dropout(0.2, seed=5),
        layers.Reshape((1, 30)),
        MembersDense(8, 20, first=True),
    ]


def _prepared(seed: int, more: Any = None, before: Any = lambda: None) -> tuple[Any, list[Any]]:
    import keras

    from workbench.training.keras_state import prepare, state_of

    with seeded(seed):
        before()
        inputs = x = keras.Input((40,))
        for layer in [*_layers(), keras.layers.Flatten(), *([more()] if more else [])]:
            x = layer(x)
        model = keras.Model(inputs, keras.layers.Dense(1)(x))
        model.compile("adam", "mse")
    prepare(model, (np.zeros((4, 40), np.float32), np.zeros((4, 1), np.float32)))
    return model, state_of(model).weights.arrays


def test_another_seed_draws_what_a_build_draws() -> None:
    from workbench.training.redraw import Redraw

    model, first = _prepared(1)
    redraw = Redraw.of(model, first, 1)
    assert redraw is not None
    for seed in (1, 2, 3):
        ours, (fresh, expected) = redraw.weights(seed), _prepared(seed)
        variables = (*fresh.trainable_variables, *fresh.non_trainable_variables)
        for variable, drawn, built in zip(variables, ours, expected, strict=True):
            assert (drawn.dtype, drawn.shape) == (built.dtype, built.shape)
            np.testing.assert_array_equal(drawn, built, err_msg=variable.path)


def _ones(shape: Any, dtype: Any) -> Any:
    return np.ones(shape, dtype)


def test_what_an_initialiser_alone_does_not_decide_is_built_again() -> None:
    import keras

    from workbench.training.redraw import Redraw

    class Unknown(keras.initializers.Initializer):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.convert_to_tensor(np.random.normal(size=shape), dtype=dtype)

    assert Redraw.of(*_prepared(1, lambda: keras.layers.Dense(3, kernel_initializer=Unknown())), 1) is None
    assert Redraw.of(*_prepared(1, lambda: keras.layers.Dense(3, bias_initializer=_ones)), 1) is None
    assert Redraw.of(*_prepared(1, before=lambda: random.randint(4, 99)), 1) is None, "the factory draws for itself"
    model, first = _prepared(1)
    assert Redraw.of(model, first, 2) is None, "its seeds are not those of a build under 2"
    kernel = model.trainable_variables[0]
    kernel.assign(np.ones(kernel.shape))  # as pretrained weights are
    assert Redraw.of(model, first, 1) is None
