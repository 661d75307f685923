"""The initial weights of a build under another seed, without building: 1 to 3 ms instead of 8 to 20.

A fresh build differs from the one before in what its initialisers draw, and in nothing else that training could use:
one compiled program serves all builds. Their seeds come one after another from Python's generator, so it is enough to
know at which turn each was drawn. What is drawn again is bit for bit what a build would have drawn.
"""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from workbench.training.initial import drawn_by_numpy, origin

_CONSTANT = ("Zeros", "Ones", "Constant", "Identity")
"""Keras' initialisers that take no seed."""

_SEEDS = (1, 10**9)
"""The ends between which Keras draws a seed."""


class Redraw:
    """The initialisers of a built model's variables."""

    def __init__(self, first: list[NDArray[Any]], sources: list[tuple[Any, int] | None]) -> None:
        """Take the weights of the build, and for each what draws it and at which turn, or ``None`` for a constant."""
        self._first, self._sources = first, sources

    @classmethod
    def of(cls, model: Any, first: list[NDArray[Any]], seed: int) -> Redraw | None:
        """Take a model built under ``seed``, all variables created and none trained, and their values.

        Returns:
            ``None`` where a value does not come from an initialiser alone, or from one of which it is not known how it
            draws: pretrained weights, a function, a factory that draws numbers of its own before, a backend that is not
            JAX. Such a model must be built again.
        """
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        turns = {number: turn for turn, number in enumerate(_numbers(seed, len(variables)))}
        generators = {id(made.state): made for layer in model._flatten_layers() for made in _generators(layer)}
        sources: list[tuple[Any, int] | None] = []
        for variable in variables:
            known = origin(variable)
            source = generators.get(id(variable), known)
            if known is None or not _tells(source):
                return None
            turn = turns.get(_seed(source))
            if turn is None and source.get_config().get("seed", 0) is None:
                return None
            sources.append(None if turn is None else (source, turn))
        used = {source[1] for source in sources if source is not None}
        # A gap is a number that the factory drew for itself: it may decide on what is built.
        return cls(first, sources) if used == set(range(len(used))) else None

    def weights(self, seed: int) -> list[NDArray[Any]]:
        """Return what a build under ``seed`` would begin with, trainable weights first: read-only arrays."""
        numbers = _numbers(seed, 1 + max((source[1] for source in self._sources if source), default=0))
        with drawn_by_numpy():
            return [
                first if source is None else _drawn(source[0], numbers[source[1]], first)
                for source, first in zip(self._sources, self._first, strict=True)
            ]


def _numbers(seed: int, count: int) -> list[int]:
    """Return the seeds that initialisers draw in a build under ``seed``, in turn."""
    generator = random.Random(seed)
    return [generator.randint(*_SEEDS) for _ in range(count)]


def _seed(source: Any) -> Any:
    """Return what an initialiser or seed generator draws by."""
    if isinstance(source, keras.random.SeedGenerator):
        return int(keras.ops.convert_to_numpy(source.state.value)[0])
    seed = getattr(source, "seed", None)
    return seed if isinstance(seed, int) else None


def _generators(layer: Any) -> list[Any]:
    return list(getattr(layer, "_seed_generators", ()))


def _tells(source: Any) -> bool:
    """Say whether a source tells by its configuration what it draws by."""
    kinds = tuple(getattr(keras.initializers, name) for name in _CONSTANT)
    if isinstance(source, keras.random.SeedGenerator) or type(source) in kinds:
        return True
    return isinstance(source, keras.initializers.Initializer) and "seed" in source.get_config()


def _drawn(source: Any, seed: int, first: NDArray[Any]) -> NDArray[Any]:
    if isinstance(source, keras.random.SeedGenerator):
        return np.array([seed, 0], dtype=first.dtype)
    again = type(source).from_config({**source.get_config(), "seed": seed})
    return np.asarray(again(first.shape, dtype=keras.backend.standardize_dtype(first.dtype)))
