"""Initial weights drawn by NumPy. Imports Keras: import this module inside a factory only.

Keras' own initialisers run on the backend, and JAX compiles a program for each new shape: 0.2 s each, 2.5 s for the
first model of a new width, which is more than its training on a small table.
"""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np


class _Drawn(keras.initializers.Initializer):  # type: ignore[misc]
    """Draws by a seed that is taken from Python's generator, as Keras' own initialisers take theirs."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        drawn = self.draw(np.random.default_rng(self.seed), tuple(shape))
        return keras.ops.convert_to_tensor(drawn.astype(keras.backend.standardize_dtype(dtype)))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@keras.saving.register_keras_serializable("workbench")
class Uniform(_Drawn):
    """Uniform in ``[-limit, limit]``."""

    def __init__(self, limit: float, seed: int | None = None) -> None:
        super().__init__(seed)
        self.limit = limit

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return the values."""
        return rng.uniform(-self.limit, self.limit, shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "limit": self.limit}


@keras.saving.register_keras_serializable("workbench")
class Normal(_Drawn):
    """Normal around 0."""

    def __init__(self, stddev: float, seed: int | None = None) -> None:
        super().__init__(seed)
        self.stddev = stddev

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return the values."""
        return rng.normal(0.0, self.stddev, shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("workbench")
class Signs(_Drawn):
    """-1 or 1, each as likely."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return the values."""
        return rng.integers(0, 2, shape) * 2.0 - 1.0


@keras.saving.register_keras_serializable("workbench")
class Constant(_Drawn):
    """One value everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:  # noqa: ARG002
        """Return the values."""
        return np.full(shape, self.value)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"value": self.value}
