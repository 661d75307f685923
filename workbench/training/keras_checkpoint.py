"""A Keras training at the end of an epoch, as arrays and JSON and back: it goes on bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.training.checkpoints import Checkpoints
from workbench.training.epoch_state import LOG
from workbench.training.keras_program import Start, Trainer
from workbench.training.keras_state import State, Weights
from workbench.training.watcher import Watcher, tell_again


@dataclass(frozen=True)
class KerasCheckpoint:
    """The checkpoint of splits that train at once: weights, optimizer, best weights, watchers and row orders."""

    checkpoints: Checkpoints
    splits: Sequence[int]

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self.checkpoints.due

    def save(self, trainer: Trainer, watchers: Sequence[Watcher], generators: Sequence[np.random.Generator]) -> None:
        """Write everything that the rest of the training follows from."""
        arrays: dict[str, Any] = {}
        for i in range(len(self.splits)):
            state = trainer.state(i)
            parts = {"weights": state.weights.arrays, "optimizer": state.optimizer, "best": trainer.best(i).arrays}
            for name, part in parts.items():
                arrays |= {f"{i}-{name}{position}": np.asarray(value) for position, value in enumerate(part)}
        about = {
            "splits": list(self.splits),
            "watchers": [watcher.state() for watcher in watchers],
            "generators": [generator.bit_generator.state for generator in generators],
        }
        self.checkpoints.save_epoch(self.splits[0], arrays, about)

    def restore(
        self, starts: Sequence[Start], watchers: Sequence[Watcher], generators: Sequence[np.random.Generator]
    ) -> list[Start] | None:
        """Put watchers and generators where an earlier attempt was; return the starts of the rest of the training.

        ``None`` without a checkpoint that fits: the training begins.

        Raises:
            TrialStopped: a report of what was seen before was answered with 'stop'.
        """
        for arrays, about in self.checkpoints.epochs(self.splits[0]):
            try:
                if about["splits"] != list(self.splits):
                    raise ValueError(f"it is of the splits {about['splits']}, expected {list(self.splits)}")
                found = [_start(start, arrays, i) for i, start in enumerate(starts)]
                for generator, state in zip(generators, about["generators"], strict=True):
                    generator.bit_generator.state = state
                for watcher, seen in zip(watchers, about["watchers"], strict=True):
                    watcher.restore(seen)
                self.checkpoints.resume(about)
            except (KeyError, ValueError, TypeError) as error:
                LOG.warning("a checkpoint of split %d does not fit: %s; it is not used", self.splits[0], error)
                continue
            tell_again(watchers)
            return found
        return None


def _start(start: Start, arrays: Mapping[str, NDArray[Any]], position: int) -> Start:
    weights = _weights(start.state.weights, arrays, f"{position}-weights")
    state = State(weights, _taken(start.state.optimizer, arrays, f"{position}-optimizer"))
    return replace(start, state=state, best=_weights(start.state.weights, arrays, f"{position}-best"))


def _weights(first: Weights, arrays: Mapping[str, NDArray[Any]], name: str) -> Weights:
    taken, trainable = _taken(first.arrays, arrays, name), len(first.trainable)
    return Weights(taken[:trainable], taken[trainable:])


def _taken(first: list[Any], arrays: Mapping[str, NDArray[Any]], name: str) -> list[Any]:
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
