"""Keras' own initialisers drawn by NumPy, while a factory builds and while training is prepared.

Keras' initialisers run on the backend, and JAX compiles a program for each distribution and shape: 0.3 s each, where
drawing takes microseconds. A search over widths meets new shapes in every trial. What is drawn here has the
distribution that Keras documents, and follows from the initialiser's seed alone: equal in every process and on every
backend.

Initialisers of the user's own, and what is called outside the context, run as ever. So do those that Keras has changed
since: an initialiser is taken over only while all its arguments are known here. Nothing is imported: a process without
Keras is left alone.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Draw = Callable[..., "NDArray[Any] | None"]

_active: ContextVar[bool] = ContextVar("drawn_by_numpy", default=False)
_TRUNCATED_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal that is cut at two, by which Keras divides."""


@contextlib.contextmanager
def drawn_by_numpy() -> Iterator[None]:
    """Let NumPy draw what Keras' own initialisers return, in this thread and context."""
    take_over()
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def take_over() -> None:
    """Teach Keras' initialisers to draw by NumPy within `drawn_by_numpy`; once a process, and only if Keras is loaded.

    The classes keep their new ``__call__``, which asks for the context: methods that were put back at the context's end
    would be put back under another thread's feet.
    """
    keras = sys.modules.get("keras")
    initializers = getattr(keras, "initializers", None)  # absent while Keras is being imported
    for name, draw in _DRAWS.items():
        cls: Any = getattr(initializers, name, None)
        original = vars(cls).get("__call__") if cls is not None else None
        # Asked at every build: the signatures are compared the first time only.
        if original is not None and not hasattr(original, "draw") and _arguments(cls) <= _arguments(draw):
            cls.__call__ = _wrapped(original, draw)


def _arguments(function: Any) -> set[str]:
    """Return the names of what an initialiser, or what draws in its place, is told."""
    return set(inspect.signature(function).parameters) - {"rng", "shape", "seed"}


def _wrapped(original: Callable[..., Any], draw: Draw) -> Callable[..., Any]:
    names = _arguments(draw)

    @functools.wraps(original)
    def call(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        seed = getattr(self, "seed", 0)
        if not _active.get() or options or not isinstance(seed, int):  # a generator of seeds is the backend's
            return original(self, shape, dtype=dtype, **options)
        import keras

        dtype = keras.backend.standardize_dtype(dtype)
        told = {name: getattr(self, name) for name in names if hasattr(self, name)}
        whole = not keras.backend.is_float_dtype(dtype) and hasattr(self, "seed")
        drawn = None if whole else draw(np.random.default_rng(seed % 2**64), tuple(shape), **told)
        if drawn is None:  # Keras says what is wrong
            return original(self, shape, dtype=dtype)
        return keras.ops.convert_to_tensor(np.asarray(drawn).astype(dtype, copy=False), dtype=dtype)

    call.draw = draw  # type: ignore[attr-defined]
    return call


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


_DRAWS: dict[str, Draw] = {
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
