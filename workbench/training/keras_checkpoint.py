"""A Keras training at the end of an epoch, as arrays and JSON and back: it goes on bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.training.checkpoints import Checkpoints
from workbench.training.epoch_state import LOG
from workbench.training.keras_program import Program
from workbench.training.keras_state import State, Weights
from workbench.training.watcher import Watcher


@dataclass(frozen=True)
class KerasCheckpoint:
    """One split's checkpoint: weights, optimizer, best weights, watcher and the generator of the row order."""

    checkpoints: Checkpoints
    split: int

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self.checkpoints.due

    def save(self, program: Program, best: Weights, watcher: Watcher, rng: np.random.Generator) -> None:
        """Write everything that the rest of the training follows from."""
        state = program.state()
        parts = {"weights": state.weights.arrays, "optimizer": state.optimizer, "best": best.arrays}
        arrays = {f"{name}{i}": np.asarray(value) for name, part in parts.items() for i, value in enumerate(part)}
        about = {"watcher": watcher.state(), "generator": rng.bit_generator.state}
        self.checkpoints.save_epoch(self.split, arrays, about)

    def restore(
        self, program: Program, table: tuple[Any, ...], watcher: Watcher, rng: np.random.Generator
    ) -> Weights | None:
        """Put a started program, its watcher and generator where an earlier attempt was; return the best weights.

        ``None`` without a checkpoint that fits: the training is as it was.
        """
        first = program.state()
        for arrays, about in self.checkpoints.epochs(self.split):
            try:
                weights = _weights(first.weights, arrays, "weights")
                best = _weights(first.weights, arrays, "best")
                state = State(weights, _taken(first.optimizer, arrays, "optimizer"))
                rng.bit_generator.state = about["generator"]
                watcher.restore(about["watcher"])
                self.checkpoints.resume(about)
            except (KeyError, ValueError, TypeError) as error:
                LOG.warning("a checkpoint of split %d does not fit the model: %s; it is not used", self.split, error)
                continue
            program.start(state, table)
            return best
        return None


def _weights(first: Weights, arrays: dict[str, NDArray[Any]], name: str) -> Weights:
    taken, trainable = _taken(first.arrays, arrays, name), len(first.trainable)
    return Weights(taken[:trainable], taken[trainable:])


def _taken(first: list[Any], arrays: dict[str, NDArray[Any]], name: str) -> list[Any]:
    """Return the arrays of a part, in the types and shapes of those that training starts from."""
    found = []
    for index, like in enumerate(map(np.asarray, first)):
        array = arrays[f"{name}{index}"]
        if array.dtype.kind == "V":  # NumPy's files do not know bfloat16, and give its bytes
            array = array.view(like.dtype)
        if (array.shape, array.dtype) != (like.shape, like.dtype):
            raise ValueError(f"{name}{index} is {array.dtype}{array.shape}, expected {like.dtype}{like.shape}")
        found.append(array)
    return found
