"""The distributions of Keras' initialisers in NumPy: each function is told the arguments of the class's constructor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Draw = Callable[..., "NDArray[Any] | None"]

_TRUNCATED_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal that is cut at two, by which Keras divides."""


def _normal(rng: np.random.Generator, shape: Shape, mean: float, stddev: float) -> NDArray[Any]:
    return mean + stddev * rng.standard_normal(shape, dtype=np.float32)


def _uniform(rng: np.random.Generator, shape: Shape, minval: float, maxval: float) -> NDArray[Any]:
    return minval + (maxval - minval) * rng.random(shape, dtype=np.float32)


def _truncated_normal(rng: np.random.Generator, shape: Shape, mean: float, stddev: float) -> NDArray[Any]:
    values = np.asarray(rng.standard_normal(shape, dtype=np.float32))
    while np.any(outside := np.abs(values) > 2.0):  # 5 % are drawn again
        values[outside] = rng.standard_normal(int(outside.sum()), dtype=np.float32)
    return mean + stddev * values


def _variance_scaling(
    rng: np.random.Generator,
    shape: Shape,
    scale: float,
    mode: str,
    distribution: str,
    input_axes: Any = None,
    output_axes: Any = None,
) -> NDArray[Any] | None:
    """Return weights whose variance is ``scale`` over the number of units on the side that ``mode`` names."""
    if input_axes is not None or output_axes is not None:  # rare, and younger than the oldest Keras that we take
        return None
    fan_in, fan_out = _fans(shape)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
    stddev = math.sqrt(scale / max(1.0, fans[mode]))
    if distribution == "uniform":
        limit = math.sqrt(3.0) * stddev
        return _uniform(rng, shape, -limit, limit)
    if distribution == "truncated_normal":
        return _truncated_normal(rng, shape, 0.0, stddev / _TRUNCATED_STDDEV)
    return _normal(rng, shape, 0.0, stddev) if distribution == "untruncated_normal" else None


def _fans(shape: Shape) -> tuple[float, float]:
    """Return the numbers of units a weight connects; all axes but the last two are those of a convolution's window."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _orthogonal(rng: np.random.Generator, shape: Shape, gain: float) -> NDArray[Any] | None:
    if len(shape) < 2:
        return None
    rows, columns = math.prod(shape[:-1]), shape[-1]
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))  # else not uniform among the orthogonal matrices
    return gain * (q.T if rows < columns else q).reshape(shape)


def _identity(rng: np.random.Generator, shape: Shape, gain: float) -> NDArray[Any] | None:  # noqa: ARG001
    return gain * np.eye(*shape) if len(shape) == 2 else None


def _zeros(rng: np.random.Generator, shape: Shape) -> NDArray[Any]:  # noqa: ARG001
    return np.zeros(shape, np.float32)


def _ones(rng: np.random.Generator, shape: Shape) -> NDArray[Any]:  # noqa: ARG001
    return np.ones(shape, np.float32)


def _constant(rng: np.random.Generator, shape: Shape, value: Any) -> NDArray[Any]:  # noqa: ARG001
    return np.full(shape, value)


DRAWS: dict[str, Draw] = {
    "RandomNormal": _normal,
    "RandomUniform": _uniform,
    "TruncatedNormal": _truncated_normal,
    "VarianceScaling": _variance_scaling,  # Glorot's, He's and LeCun's follow from it
    "Orthogonal": _orthogonal,
    "Identity": _identity,
    "Zeros": _zeros,
    "Ones": _ones,
    "Constant": _constant,
}
"""What draws in place of ``keras.initializers.<name>``: told the constructor's arguments, ``None`` where it cannot."""
