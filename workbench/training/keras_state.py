"""The numbers of a Keras model apart from the model, so that one compiled model can train every split."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from workbench.errors import FactoryError, StoreError
from workbench.training import precision
from workbench.training.initial import drawn_by_numpy
from workbench.training.redraw import Redraw


@dataclass(frozen=True)
class Weights:
    """A model's variables in its own order; seed generators' states are among the non-trainable ones."""

    trainable: list[Any]
    non_trainable: list[Any]

    @property
    def arrays(self) -> list[np.ndarray[Any, Any]]:
        """All of them on the host, trainable ones first."""
        return [np.asarray(value) for value in (*self.trainable, *self.non_trainable)]


@dataclass(frozen=True)
class State:
    """What training starts from: weights and the optimizer's variables."""

    weights: Weights
    optimizer: list[Any]


def prepare(model: Any, batch: tuple[Any, ...]) -> None:
    """Create every variable of a compiled model, with shapes only: nothing is computed.

    Raises:
        FactoryError: the model does not take such a batch ``(x, y)`` or ``(x, y, weight)``.
    """
    try:
        # Not public, but what fit() itself calls; the alternative is a training step, which compiles for a second.
        # Layers that are made only now have the policy of those that the factory made.
        with drawn_by_numpy(), precision.under(model.dtype_policy):
            model._symbolic_build(data_batch=batch)
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise FactoryError(f"the model cannot be trained on this table: {error}") from error


def state_of(model: Any) -> State:
    """Return copies of a model's initial variables."""
    return State(_weights_of(model), _values(model.optimizer.variables))


class InitialStates:
    """What each split's training starts from: the numbers of a fresh build under its own seed, seldom by building."""

    def __init__(self, model: Any, seed: int, rebuild: Callable[[int], Any]) -> None:
        """Take a model built under ``seed``, and what builds the same configuration again under another."""
        self._model, self._seed, self._rebuild = model, seed, rebuild
        self._first: State | None = None
        self._redraw: Redraw | None = None
        self._known: dict[int, State] = {}
        self._rates: dict[str, Any] = {}

    def changed(self, rates: Mapping[str, float]) -> InitialStates:
        """Return the states of builds whose variables of some names have other values, and are the same otherwise."""
        other = copy.copy(self)
        other._rates = {**self._rates, **rates}
        return other

    def holds(self, name: str, value: float) -> bool:
        """Say whether the build has variables of a name, each of this value; it must have been prepared."""
        pairs = [] if self._first is None else self._named(self._first)
        found = [array for array, known in pairs if known == name]
        return bool(found) and all(np.array_equal(array, np.full_like(array, value)) for array in found)

    @property
    def size(self) -> int:
        """Bytes of the model's own variables and of all states that are kept."""
        own = [] if self._first is None else [array for array, _ in self._named(self._first)]
        kept = {id(array): array for state in self._known.values() for array, _ in self._named(state)}
        return sum(array.nbytes for array in (*own, *own, *kept.values()))

    def prepare(self, batch: tuple[Any, ...]) -> State:
        """Create every variable of the model and return its state, which must not have been trained yet."""
        if self._first is None:
            prepare(self._model, batch)
            self._first = state_of(self._model)
            # What an optimizer begins with does not depend on the weights, unless it begins with their copies.
            if _blank(self._first.optimizer):
                self._redraw = Redraw.of(self._model, self._first.weights.arrays, self._seed)
        return self._first

    def of(self, seed: int, batch: tuple[Any, ...]) -> State:
        """Return the state of a build under a seed.

        Raises:
            FactoryError: its shapes are others.
        """
        if seed not in self._known:
            self._known[seed] = self._made(seed, batch)
        state = self._known[seed]
        if not self._rates:
            return state
        arrays = [
            np.full_like(array, self._rates[name]) if name in self._rates else array
            for array, name in self._named(state)
        ]
        weights = len(arrays) - len(state.optimizer)
        return State(_cut(arrays[:weights], len(state.weights.trainable)), arrays[weights:])

    def _named(self, state: State) -> list[tuple[Any, str]]:
        """Return the arrays of a state with the names of their variables."""
        model, weights = self._model, state.weights
        arrays = (*weights.trainable, *weights.non_trainable, *state.optimizer)
        variables = (*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables)
        return [(array, variable.name) for array, variable in zip(arrays, variables, strict=True)]

    def _made(self, seed: int, batch: tuple[Any, ...]) -> State:
        first = self.prepare(batch)
        if seed == self._seed:
            return first
        if self._redraw is not None:
            return State(_cut(self._redraw.weights(seed), len(first.weights.trainable)), first.optimizer)
        fresh = self._rebuild(seed)
        if fresh.built and _blank(first.optimizer):
            # Nor need its variables be made again.
            state = State(_weights_of(fresh), first.optimizer)
        else:
            prepare(fresh, batch)
            state = state_of(fresh)
        same_shapes(state, first)
        return state


def same_shapes(state: State, other: State) -> None:
    """Raise `FactoryError` when two builds of one configuration differ in shape."""
    pairs = ((state.weights.arrays, other.weights.arrays), (state.optimizer, other.optimizer))
    for left, right in pairs:
        if [np.shape(a) for a in left] != [np.shape(b) for b in right]:
            raise FactoryError(
                "two builds with equal values gave models of different shapes; what a factory builds must follow from "
                "hp and problem alone"
            )


def weights_from(model: Any, arrays: list[np.ndarray[Any, Any]]) -> Weights:
    """Return stored arrays as the weights of a freshly built model.

    Raises:
        StoreError: number or shapes differ from the model's.
    """
    expected = [tuple(v.shape) for v in (*model.trainable_variables, *model.non_trainable_variables)]
    received = [array.shape for array in arrays]
    if expected != received:
        raise StoreError(
            f"the stored weights do not fit the model that the factory builds now: expected shapes {expected}, got "
            f"{received}; was the factory changed after it was trained?"
        )
    return _cut(arrays, len(model.trainable_variables))


def assign(variables: Any, values: list[Any]) -> None:
    """Write values into a model's variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def parameters(model: Any) -> int:
    """Return the number of trainable weights."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def learning_rate_index(optimizer: Any) -> int | None:
    """Return where in ``optimizer.variables`` the learning rate lies; ``None`` where a schedule of its own rules."""
    rate = getattr(optimizer, "learning_rate", None)
    return next((i for i, v in enumerate(optimizer.variables) if v is rate), None)


def averages_index(optimizer: Any) -> list[int]:
    """Return where in ``optimizer.variables`` the averages of the trainable weights lie; empty without ``use_ema``.

    Keras' ``fit`` ends with them in the place of the weights.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not getattr(inner, "use_ema", False):
        return []
    places = {id(variable): place for place, variable in enumerate(optimizer.variables)}
    return [places[id(variable)] for variable in inner._model_variables_moving_average]


def _weights_of(model: Any) -> Weights:
    return Weights(_values(model.trainable_variables), _values(model.non_trainable_variables))


def _cut(arrays: list[np.ndarray[Any, Any]], trainable: int) -> Weights:
    return Weights(arrays[:trainable], arrays[trainable:])


def _blank(optimizer: list[Any]) -> bool:
    """Say whether all moments and the like are zero."""
    return all(np.ndim(value) == 0 or not np.any(value) for value in optimizer)


def _values(variables: Any) -> list[Any]:
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]
