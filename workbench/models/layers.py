"""Keras layers of the built-in families. Imports Keras: import this module inside a factory only."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("workbench")
class PeriodicEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """An embedding of each number: ``[x, linear(cos(2 π (f x + b)))]`` with trainable frequencies ``f``.

    The PBLD layer of RealMLP (Holzmüller et al., 2024, "Better by default", appendix A), after "On embeddings for
    numerical features in tabular deep learning" (Gorishniy et al., 2022). Input ``(rows, p)``, output
    ``(rows, p * width)``.
    """

    def __init__(self, frequencies: int = 16, width: int = 4, sigma: float = 0.1, **kwargs: Any) -> None:
        """Take the number of frequencies of each number, the width of its embedding, and the frequencies' spread."""
        super().__init__(**kwargs)
        self.frequencies, self.width, self.sigma = frequencies, width, sigma

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        columns = input_shape[-1]
        normal = keras.initializers.RandomNormal(stddev=self.sigma)
        uniform = keras.initializers.RandomUniform(-0.5, 0.5)
        linear = keras.initializers.RandomUniform(-(self.frequencies**-0.5), self.frequencies**-0.5)
        self.frequency = self.add_weight(shape=(columns, self.frequencies), initializer=normal, name="frequency")
        self.phase = self.add_weight(shape=(columns, self.frequencies), initializer=uniform, name="phase")
        shape = (columns, self.frequencies, self.width - 1)
        self.kernel = self.add_weight(shape=shape, initializer=linear, name="kernel")
        self.bias = self.add_weight(shape=(columns, self.width - 1), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Embed ``(rows, p)``."""
        x = ops.expand_dims(x, -1)
        waves = ops.cos(2 * 3.141592653589793 * (x * self.frequency + self.phase))
        # (p, rows, f) @ (p, f, w): one matrix product for each column.
        mapped = ops.transpose(ops.matmul(ops.transpose(waves, (1, 0, 2)), self.kernel), (1, 0, 2)) + self.bias
        both = ops.concatenate([x, mapped], axis=-1)
        return ops.reshape(both, (-1, both.shape[1] * self.width))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(rows, p * width)``."""
        columns = input_shape[-1]
        return (input_shape[0], None if columns is None else columns * self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "frequencies": self.frequencies, "width": self.width, "sigma": self.sigma}
