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
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.training.initial_draws import DRAWS, Draw

_active: ContextVar[bool] = ContextVar("drawn_by_numpy", default=False)
_METHOD, _ORIGIN = "_initialize_with_initializer", "_workbench_origin"


@dataclass(frozen=True)
class _Origin:
    initializer: Any
    value: Any


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
    _take_over_initializers(getattr(keras, "initializers", None))  # absent while Keras is being imported
    _take_over_variables(getattr(keras, "Variable", None))


def _take_over_initializers(initializers: Any) -> None:
    for name, draw in DRAWS.items():
        cls: Any = getattr(initializers, name, None)
        original = vars(cls).get("__call__") if cls is not None else None
        # Asked at every build: the signatures are compared the first time only.
        if original is not None and not hasattr(original, "draw") and _arguments(cls) <= _arguments(draw):
            cls.__call__ = _wrapped(original, draw)


def _take_over_variables(public: Any) -> None:
    # Of the backend's class, which is above the public one. Other backends' variables change in place.
    variable = next((cls for cls in getattr(public, "__mro__", ()) if cls.__name__ == "JaxVariable"), None)
    initialize = vars(variable).get(_METHOD) if variable is not None else None
    if initialize is not None and not hasattr(initialize, "remembers"):
        setattr(variable, _METHOD, _remembering(initialize))


def origin(variable: Any) -> Any:
    """Return the initialiser that gave a variable the value it has still; ``None`` where that is not known.

    It is known of JAX's variables that were created within `drawn_by_numpy`.
    """
    known: _Origin | None = getattr(variable, _ORIGIN, None)
    return known.initializer if known is not None and known.value is variable._value else None


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


def _remembering(initialize: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(initialize)
    def call(self: Any, initializer: Any) -> None:
        initialize(self, initializer)
        if _active.get():
            setattr(self, _ORIGIN, _Origin(initializer, self._value))

    call.remembers = True  # type: ignore[attr-defined]
    return call
