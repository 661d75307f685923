"""Keras' own initialisers drawn by NumPy: the same distributions, from the seed alone, and nothing compiled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from workbench.training.build import seeded
from workbench.training.initial import drawn_by_numpy

pytestmark = pytest.mark.keras

SHAPE = (5, 40, 100)
"""Of a convolution: 200 units in, 500 out."""

RANDOM: dict[str, Callable[[Any], Any]] = {
    "RandomNormal": lambda k: k.RandomNormal(mean=0.5, stddev=2.0),
    "RandomUniform": lambda k: k.RandomUniform(minval=-1.0, maxval=3.0),
    "TruncatedNormal": lambda k: k.TruncatedNormal(mean=0.5, stddev=2.0),
    "GlorotUniform": lambda k: k.GlorotUniform(),
    "GlorotNormal": lambda k: k.GlorotNormal(),
    "HeUniform": lambda k: k.HeUniform(),
    "HeNormal": lambda k: k.HeNormal(),
    "LecunUniform": lambda k: k.LecunUniform(),
    "LecunNormal": lambda k: k.LecunNormal(),
    "VarianceScaling": lambda k: k.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
}
EXACT = {"Zeros", "Ones", "Constant", "Identity"}


@pytest.fixture(scope="module")
def initializers() -> Any:
    """The module ``keras.initializers``."""
    import keras

    return keras.initializers


def _drawn(initializer: Any, shape: tuple[int, ...] = SHAPE, dtype: str = "float32") -> Any:
    with drawn_by_numpy():
        return initializer(shape, dtype=dtype)


@pytest.mark.parametrize("name", RANDOM)
def test_an_initialiser_has_the_distribution_that_keras_gives_it(initializers: Any, name: str) -> None:
    with seeded(1):
        initializer = RANDOM[name](initializers)
    ours, keras_own = np.asarray(_drawn(initializer)).ravel(), np.asarray(initializer(SHAPE)).ravel()

    assert not np.array_equal(ours, keras_own)
    assert stats.ks_2samp(ours, keras_own).pvalue > 0.01
    assert np.mean(ours) == pytest.approx(np.mean(keras_own), abs=5 * np.std(keras_own) / np.sqrt(ours.size / 2))
    assert np.std(ours) == pytest.approx(np.std(keras_own), rel=0.02)
    if "Uniform" in name or "Truncated" in name or name.endswith(("HeNormal", "GlorotNormal", "LecunNormal")):
        assert np.abs(ours).max() == pytest.approx(np.abs(keras_own).max(), rel=0.01)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4)])
def test_an_orthogonal_matrix_is_one_and_is_not_turned_one_way(initializers: Any, shape: tuple[int, ...]) -> None:
    drawn = (_drawn(initializers.Orthogonal(2.0, seed=seed), shape) for seed in range(400))
    matrices = [np.asarray(weights).reshape(-1, shape[-1]) for weights in drawn]

    for q in matrices:
        product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
        np.testing.assert_allclose(product, 4.0 * np.eye(len(product)), atol=1e-5)
    assert np.abs(np.mean(matrices, axis=0)).max() < 5 * 2.0 / np.sqrt(400 * max(matrices[0].shape))


def test_constants_are_what_keras_makes_of_them(initializers: Any) -> None:
    made = [
        (initializers.Zeros(), (3, 2), "float32"),
        (initializers.Zeros(), (), "int32"),
        (initializers.Ones(), (3,), "bool"),
        (initializers.Ones(), (2, 2), "bfloat16"),
        (initializers.Constant(0.1), (2, 3), "float16"),
        (initializers.Identity(3.0), (2, 3), "float32"),
    ]
    for initializer, shape, dtype in made:
        ours, keras_own = _drawn(initializer, shape, dtype), initializer(shape, dtype=dtype)
        assert (type(ours), ours.dtype) == (type(keras_own), keras_own.dtype)
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(keras_own))


def test_every_initialiser_of_keras_is_taken_over_but_for_stft(initializers: Any) -> None:
    """Fails when Keras adds an initialiser, or changes the arguments of one: `initial` then leaves it to Keras."""
    _drawn(initializers.Zeros(), ())
    public = {cls for cls in vars(initializers).values() if isinstance(cls, type)}
    own_way = {cls.__name__ for cls in public if not hasattr(cls.__call__, "draw")}

    assert own_way == {"Initializer", "STFT"}
    assert {cls.__name__ for cls in public} - own_way == {*RANDOM, *EXACT, "Orthogonal"}


def test_the_seed_alone_decides(initializers: Any) -> None:
    uniform = initializers.RandomUniform(0.0, 1.0, seed=5)
    np.testing.assert_array_equal(_drawn(uniform, (4,)), np.random.default_rng(5).random(4, dtype=np.float32))
    np.testing.assert_array_equal(_drawn(uniform, (4,)), _drawn(uniform, (4,)))
    assert not np.array_equal(_drawn(initializers.RandomUniform(0.0, 1.0, seed=-6), (4,)), _drawn(uniform, (4,)))


def test_what_is_not_ours_is_left_to_keras(initializers: Any) -> None:
    import keras

    class Halves(initializers.Initializer):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.full(shape, 0.5, dtype)

    np.testing.assert_array_equal(_drawn(Halves(), (3,)), [0.5, 0.5, 0.5])
    first, second = (initializers.HeNormal(seed=keras.random.SeedGenerator(3)) for _ in range(2))
    np.testing.assert_array_equal(_drawn(first), second(SHAPE))
    with pytest.raises(ValueError, match="at least two-dimensional"):
        _drawn(initializers.Orthogonal(), (3,))
    elsewhere: list[Any] = []
    normal = initializers.RandomNormal(seed=1)
    with drawn_by_numpy():
        thread = threading.Thread(target=lambda: elsewhere.append(normal(SHAPE)))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(elsewhere[0], normal(SHAPE))


def _model(width: int) -> Any:
    import keras

    inputs = keras.Input((20,))
    x = keras.layers.Embedding(50 + width, width)(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Conv1D(width + 1, 3, kernel_initializer="he_normal")(x))
    x = keras.layers.Dropout(0.1)(keras.layers.GRU(width + 2)(x))
    x = keras.layers.LayerNormalization()(keras.layers.Dense(width + 3, kernel_initializer="orthogonal")(x))
    outputs = keras.layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(0.3))(x)
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy", metrics=["auc"])
    return model


def test_shapes_never_seen_compile_nothing(initializers: Any, caplog: pytest.LogCaptureFixture) -> None:
    import jax

    from workbench.training.keras_state import prepare, state_of

    def weights(width: int, seed: int) -> list[Any]:
        with seeded(seed):
            model = _model(width)
        prepare(model, (np.zeros((8, 20), np.int32), np.zeros((8, 1), np.float32)))
        return state_of(model).weights.trainable

    def compiled() -> list[str]:
        return [record.message for record in caplog.records if record.message.startswith("Compiling")]

    weights(11, 1)  # programs of no shape, such as a step counter's
    with jax.log_compiles():
        first, again, other = weights(17, 1), weights(17, 1), weights(17, 2)
        assert not compiled()
        initializers.Zeros()((17, 23))
        assert compiled()
    for one, same, differs in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.array_equal(one, differs) == (np.ptp(one) == 0)
