"""A Keras model as steps in the order in which a reader follows them: a branch is followed to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Step:
    """An operation of the model and the tensor that it gives."""

    operation: Any
    """A Keras layer or operation."""
    inputs: tuple[str, ...]
    """Letters of the tensors that it takes; empty where it takes what the step before gives, and nothing else."""
    letter: str
    """The letter of its tensor; empty where only the next step takes it."""
    shape: Shape
    """Of one row's tensor, without the batch."""
    weights: int
    again: bool
    """Whether the operation's weights were counted at an earlier step."""

    @property
    def with_constant(self) -> bool:
        """Whether this is arithmetic of one tensor and numbers that the factory wrote down."""
        arithmetic = type(self.operation).__name__ in ("Add", "Subtract", "Multiply", "Divide")
        return arithmetic and not isinstance(self.operation, keras.layers.Layer) and len(self.inputs) < 2

    @property
    def is_input(self) -> bool:
        """Whether this is where a table comes in."""
        return isinstance(self.operation, keras.layers.InputLayer)


def steps_of(model: Any) -> tuple[Step, ...]:
    """Return the steps of a functional or sequential model; none of another, whose graph is hidden in its code."""
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        return ()
    nodes = list(_in_reading_order(model))
    letters = _letters(nodes)
    seen: set[int] = set()
    steps = []
    for position, node in enumerate(nodes):
        operation, taken = node.operation, _taken(node)
        follows = position > 0 and len(taken) == 1 and _node(taken[0]) is nodes[position - 1]
        weights = operation.count_params() if isinstance(operation, keras.layers.Layer) else 0
        again = id(operation) in seen and weights > 0
        steps.append(
            Step(
                operation=operation,
                inputs=() if follows else tuple(letters[id(tensor)] for tensor in taken),
                letter=letters.get(id(node.outputs[0]), ""),
                shape=tuple(node.outputs[0].shape[1:]),
                weights=0 if again else weights,
                again=again,
            )
        )
        seen.add(id(operation))
    return tuple(steps)


def _in_reading_order(model: Any) -> Iterator[Any]:
    """Yield the graph's nodes from the inputs to the outputs, each after those that it needs."""
    ends = {id(_node(tensor)) for tensor in model.inputs}
    done: set[int] = set()
    waiting = [(_node(tensor), False) for tensor in reversed(model.outputs)]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in done:
            continue
        if ready or id(node) in ends:
            done.add(id(node))
            yield node
            continue
        waiting.append((node, True))
        waiting.extend((_node(tensor), False) for tensor in reversed(_taken(node)))


def _node(tensor: Any) -> Any:
    """Return the call that gave a tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _taken(node: Any) -> list[Any]:
    return list(node.arguments.keras_tensors)


def _letters(nodes: list[Any]) -> dict[int, str]:
    """Name the tensors that do not simply go from one line to the next."""
    uses = Counter(id(tensor) for node in nodes for tensor in _taken(node))
    named = []
    for position, node in enumerate(nodes):
        following = nodes[position + 1] if position + 1 < len(nodes) else None
        for tensor in node.outputs:
            alone = following is not None and [id(t) for t in _taken(following)] == [id(tensor)]
            if uses[id(tensor)] > 1 or (uses[id(tensor)] == 1 and not alone):
                named.append(id(tensor))
    return {tensor: _name(number) for number, tensor in enumerate(named)}


def _name(number: int) -> str:
    """Return a, b, … z, a1, b1, …."""
    turn, letter = divmod(number, 26)
    return chr(ord("a") + letter) + (str(turn) if turn else "")
