"""Keras layers of the built-in families. Imports Keras: import this module inside a factory only."""

from __future__ import annotations

import math
import random
from typing import Any

import keras
import numpy as np
from keras import ops

Shape = tuple[int | None, ...]


def fan_in(width: int) -> keras.initializers.Initializer:
    """Return the uniform initialiser of ``1 / sqrt(width)`` that TabM and RealMLP start their weights with."""
    return uniform(width**-0.5)


def uniform(limit: float) -> keras.initializers.Initializer:
    """Return the uniform initialiser of ``[-limit, limit]``."""
    return keras.initializers.RandomUniform(-limit, limit)


_SINE = (6.28318531, -41.34170212, 81.60522617, -76.70427987, 42.00977922, -14.39396588)
"""sin(2 π q) / q as a polynomial in q² for |q| ≤ 1/4, interpolated at Chebyshev's points: its error is 3e-11."""


def cosine(turns: Any) -> Any:
    """Return ``cos(2 π turns)``, within float32's own error.

    XLA does not vectorise ``cos`` on a CPU: 13 ns for each number, and as much again for its gradient; this takes 2.
    """
    if keras.backend.backend() != "jax":
        return ops.cos(2 * math.pi * turns)
    quarter = 0.25 - ops.abs(turns - ops.round(turns))
    square = quarter * quarter
    value = _SINE[-1]
    for coefficient in _SINE[-2::-1]:
        value = value * square + coefficient
    return value * quarter


@keras.saving.register_keras_serializable("workbench")
class Signs(keras.initializers.Initializer):  # type: ignore[misc]
    """-1 or 1, each as likely."""

    def __init__(self, seed: int | None = None) -> None:
        """Take a seed; by default one is taken from Python's generator, as Keras' own initialisers do."""
        self._given = seed
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return a tensor. NumPy draws it: JAX would compile a program for each shape."""
        signs = 2 * np.random.default_rng(self.seed).integers(0, 2, shape) - 1
        # Without a type JAX would copy the array by a compiled program.
        return ops.convert_to_tensor(signs, dtype=keras.backend.standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"seed": self._given}


@keras.saving.register_keras_serializable("workbench")
class PeriodicEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """An embedding of each number: ``[x, linear(cos(2 π (f x + b)))]`` with trainable frequencies ``f``.

    The PBLD layer of RealMLP (Holzmüller et al., 2024, "Better by default", appendix A), after "On embeddings for
    numerical features in tabular deep learning" (Gorishniy et al., 2022). Input ``(rows, p)``, output
    ``(rows, p * width)``. It is float32 under any global dtype policy: of many turns 16 bits know no angle.
    """

    def __init__(self, frequencies: int = 16, width: int = 4, sigma: float = 0.1, **kwargs: Any) -> None:
        """Take the number of frequencies of each number, the width of its embedding, and the frequencies' spread."""
        super().__init__(**{"dtype": "float32", **kwargs})
        self.frequencies, self.width, self.sigma = frequencies, width, sigma

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        columns, frequencies, mapped = input_shape[-1], self.frequencies, self.width - 1
        spread = keras.initializers.RandomNormal(stddev=self.sigma)
        self.frequency = self.add_weight(shape=(columns, frequencies), initializer=spread, name="frequency")
        self.phase = self.add_weight(shape=(columns, frequencies), initializer=uniform(0.5), name="phase")
        shape = (columns, frequencies, mapped)
        self.kernel = self.add_weight(shape=shape, initializer=fan_in(frequencies), name="kernel")
        self.bias = self.add_weight(shape=(columns, mapped), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Embed ``(rows, p)``."""
        x = ops.expand_dims(x, -1)
        waves = cosine(x * self.frequency + self.phase)
        # (p, rows, f) @ (p, f, w): one matrix product for each column.
        mapped = ops.transpose(ops.matmul(ops.transpose(waves, (1, 0, 2)), self.kernel), (1, 0, 2)) + self.bias
        both = ops.concatenate([x, mapped], axis=-1)
        return ops.reshape(both, (-1, both.shape[1] * self.width))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(rows, p * width)``."""
        columns = input_shape[-1]
        return (input_shape[0], None if columns is None else columns * self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "frequencies": self.frequencies, "width": self.width, "sigma": self.sigma}


@keras.saving.register_keras_serializable("workbench")
class MembersDense(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer that ensemble members share, each with scales and a bias of its own.

    BatchEnsemble (Wen et al., 2020) as TabM uses it (Gorishniy et al., 2025, "TabM: advancing tabular deep learning
    with parameter-efficient ensembling"): ``((x * r) @ kernel) * s + b``. Only the first layer's ``r`` differs between
    the members at the start: random signs, which is what makes them different models. Input ``(rows, members or 1,
    features)``, output ``(rows, members, units)``.
    """

    def __init__(self, members: int, units: int, first: bool = False, **kwargs: Any) -> None:
        """Take the number of members, the width, and whether this is the layer that tells the members apart."""
        super().__init__(**kwargs)
        self.members, self.units, self.first = members, units, first

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        width = int(input_shape[-1] or 0)
        signs = Signs() if self.first and self.members > 1 else "ones"
        self.scale_in = self.add_weight(shape=(self.members, width), initializer=signs, name="scale_in")
        self.kernel = self.add_weight(shape=(width, self.units), initializer=fan_in(width), name="kernel")
        self.scale_out = self.add_weight(shape=(self.members, self.units), initializer="ones", name="scale_out")
        self.bias = self.add_weight(shape=(self.members, self.units), initializer=fan_in(width), name="bias")

    def call(self, x: Any) -> Any:
        """Map ``(rows, members or 1, features)``."""
        # As one matrix: on a CPU XLA's products of tensors, and above all the kernel's gradient, take twice as long. A
        # lone member is no axis: sums beside one of length 1 are slow.
        matrix, tensor = (-1, x.shape[-1]), (-1, self.members, self.units)
        x = ops.reshape(x, matrix) if self.members == 1 else x
        outputs = ops.matmul(ops.reshape(x * self.scale_in, matrix), self.kernel)
        outputs = outputs if self.members == 1 else ops.reshape(outputs, tensor)
        return ops.reshape(outputs * self.scale_out + self.bias, tensor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(rows, members, units)``."""
        return (input_shape[0], self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "members": self.members, "units": self.units, "first": self.first}


@keras.saving.register_keras_serializable("workbench")
class MembersHead(keras.layers.Layer):  # type: ignore[misc]
    """A linear output for each member, nothing shared. Input ``(rows, members, features)``."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        """Take the number of outputs of each member."""
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        members, width = int(input_shape[1] or 0), int(input_shape[2] or 0)
        self.kernel = self.add_weight(shape=(members, width, self.units), initializer=fan_in(width), name="kernel")
        self.bias = self.add_weight(shape=(members, self.units), initializer=fan_in(width), name="bias")

    def call(self, x: Any) -> Any:
        """Map to ``(rows, members, units)``."""
        # A product for each member: XLA spends a fifth of the whole step more on the einsum of the same numbers.
        outputs = ops.matmul(ops.transpose(x, (1, 0, 2)), self.kernel)
        return ops.transpose(outputs, (1, 0, 2)) + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(rows, members, units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("workbench")
class MembersModel(keras.Model):  # type: ignore[misc]
    """A model whose output tensor is ``(rows, members, outputs)``: trained member by member, predicting their mean.

    The loss is the mean over the members, not the loss of their mean: members that only had to be right together
    would not be an ensemble (Gorishniy et al., 2025, section 3).
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return every member's output in training, else their mean ``(rows, outputs)``."""
        outputs = super().call(inputs, training=training, mask=mask)
        return outputs if training else ops.mean(outputs, axis=1)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the mean loss over rows and members."""
        if len(y_pred.shape) == 3:
            members, outputs = y_pred.shape[1:]
            y_pred = ops.reshape(y_pred, (-1, outputs))
            y = ops.repeat(y, members, axis=0)
            sample_weight = None if sample_weight is None else ops.repeat(sample_weight, members, axis=0)
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
