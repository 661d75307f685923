"""Initial weights under another seed are those of a build under it, but for the numbers."""

from __future__ import annotations

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
        layers.Dense(30, kernel_initializer=initializers.RandomNormal(seed=7), name="fixed"),
        Dropout(0.2),
        layers.Dropout(0.2, seed=5),
        layers.Reshape((1, 30)),
        MembersDense(8, 20, first=True),
    ]


def _prepared(more: Any = None) -> tuple[Any, list[Any]]:
    import keras

    from workbench.training.keras_state import prepare, state_of

    with seeded(1):
        inputs = x = keras.Input((40,))
        for layer in [*_layers(), keras.layers.Flatten(), *([more] if more else [])]:
            x = layer(x)
        model = keras.Model(inputs, keras.layers.Dense(1)(x))
        model.compile("adam", "mse")
    prepare(model, (np.zeros((4, 40), np.float32), np.zeros((4, 1), np.float32)))
    return model, state_of(model).weights.arrays


def test_another_seed_draws_what_a_build_draws() -> None:
    from workbench.training.redraw import Redraw

    model, first = _prepared()
    redraw = Redraw.of(model, first)
    assert redraw is not None
    ours, again, others = redraw.weights(3), redraw.weights(3), redraw.weights(4)
    paths = [variable.path for variable in (*model.trainable_variables, *model.non_trainable_variables)]
    same_in_each = 0
    for path, was, now, same, other in zip(paths, first, ours, again, others, strict=True):
        assert (now.shape, now.dtype) == (was.shape, was.dtype)
        np.testing.assert_array_equal(now, same)
        if (
            np.ptp(was) == 0 or path == "fixed/kernel" or np.array_equal(was, [5, 0])
        ):  # constants and seeds of one's own
            same_in_each += 1
            np.testing.assert_array_equal(now, was, err_msg=path)
            np.testing.assert_array_equal(other, was, err_msg=path)
        else:
            assert not np.array_equal(now, other), path
            assert not np.array_equal(now, was), path
            if was.ndim > 1:
                assert np.std(now) == pytest.approx(np.std(was), rel=0.15), path
    assert same_in_each < len(first) - 6
    np.testing.assert_array_equal(ours[0], ours[2], err_msg="layers that share an initialiser share what it draws")


def test_what_an_initialiser_alone_does_not_decide_is_built_again() -> None:
    import keras

    from workbench.training.redraw import Redraw

    class Unknown(keras.initializers.Initializer):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.convert_to_tensor(np.random.normal(size=shape), dtype=dtype)

    assert Redraw.of(*_prepared(keras.layers.Dense(3, kernel_initializer=Unknown()))) is None
    assert (
        Redraw.of(*_prepared(keras.layers.Dense(3, bias_initializer=lambda shape, dtype: np.ones(shape, dtype))))
        is None
    )
    model, _ = _prepared()
    kernel = model.trainable_variables[0]
    kernel.assign(np.ones(kernel.shape))  # as pretrained weights are
    assert Redraw.of(model, [np.asarray(v) for v in model.trainable_variables + model.non_trainable_variables]) is None
