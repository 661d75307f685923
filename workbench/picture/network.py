"""A Keras model as one column of operations, in the spirit of keras-sequential-ascii (Migdał, 2017).

Beside each operation stand its weights and their share, below it the tensor that it gives: ``#####`` and its
dimensions for one row of the table. A tensor with a letter is used further down, where the letter stands again.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras.src.utils.naming import to_snake_case

from workbench.data.preparation import Prepared
from workbench.models.problem import Problem
from workbench.picture.graph import Shape, Step, steps_of
from workbench.picture.text import WIDTH, compact, explanation, in_words
from workbench.training.build import Built
from workbench.training.keras_feed import feed
from workbench.wording import counted

_LINE = "{:>28.28}  {:^5}  {:>16} {:<2} {:>12} {:>10}"
_SYMBOLS = {
    "Dense": "XXXXX",
    "EinsumDense": "XXXXX",
    "MembersDense": "XXXXX",
    "MembersHead": "XXXXX",
    "Conv1D": r"\|/",
    "Conv2D": r"\|/",
    "SeparableConv2D": r"\|/",
    "MaxPooling1D": "Y max",
    "MaxPooling2D": "Y max",
    "AveragePooling2D": "Y avg",
    "GlobalAveragePooling2D": "Y avg",
    "GlobalMaxPooling2D": "Y max",
    "Flatten": "|||||",
    "Reshape": "|||||",
    "Embedding": "emb",
    "Dropout": "| ||",
    "Add": "+",
    "Multiply": "x",
    "Concatenate": r"\|||/",
    "BatchNormalization": "u|s",
    "LayerNormalization": "u|s",
}
_DETAILS = {"Dropout": "rate", "Conv1D": "kernel_size", "Conv2D": "kernel_size"}
"""The setting of a layer that tells most about it."""


def draw_network(built: Built, problem: Problem, preparation: str) -> list[str]:
    """Return the lines of a picture of a compiled Keras model, of how it is trained, and of what its layers do."""
    model = built.model
    if not model.built:
        _build(model, problem)
    steps, total = steps_of(model), int(model.count_params())
    lines = [_LINE.format("OPERATION", "", "DATA DIMENSIONS", "", "WEIGHTS(N)", "WEIGHTS(%)").rstrip(), ""]
    lines += [line for step in steps for line in _step(step, total)] if steps else _hidden(model, total)
    lines += ["", *_totals(model, total), "", *_training(built, preparation)]
    return [*lines, "", "What is what", *_meanings(model, steps)]


def _build(model: Any, problem: Problem) -> None:
    """Give a model its shapes: one that Keras builds at its first call sees a row of zeros."""
    schema = problem.schema
    row = Prepared(np.zeros((1, len(schema.numeric))), np.zeros((1, len(schema.categorical)), np.int32))
    model(feed(model, row))


def _hidden(model: Any, total: int) -> list[str]:
    """Return a line for each layer of a model whose graph is hidden in its ``call``."""
    weights = {layer.name: int(layer.count_params()) for layer in model.layers}
    lines = [_operation(type(layer).__name__, "?????", weights[layer.name], total) for layer in model.layers]
    own = total - sum(weights.values())
    return [*lines, _operation(f"{type(model).__name__} itself", "?????", own, total)] if own else lines


def _step(step: Step, total: int) -> list[str]:
    if step.is_input:
        return [_tensor(f"Input {step.operation.name}", step)]
    name = type(step.operation).__name__
    label = [name, *_detail(step), *_given_name(step.operation)]
    label += [f"({', '.join(step.inputs)})"] if step.inputs else []
    label += ["again"] if step.again else []
    line = _operation(" ".join(label), _SYMBOLS.get(name, "|"), step.weights, total)
    return [line, _tensor(_activation(step.operation), step)]


def _detail(step: Step) -> list[str]:
    """Return what tells most about an operation beside its name."""
    name = type(step.operation).__name__
    if name in _DETAILS:
        return [compact(getattr(step.operation, _DETAILS[name], ""))]
    return ["a constant"] if step.with_constant else []


def _given_name(operation: Any) -> list[str]:
    """Return the name that a factory gave; nothing for those that Keras counts, such as dense_3."""
    counted_name = to_snake_case(type(operation).__name__)
    return [] if re.fullmatch(rf"{re.escape(counted_name)}(_\d+)?", operation.name) else [operation.name]


def _activation(operation: Any) -> str:
    """Return the name of the function that a layer ends with; nothing for none and for the identity."""
    function = getattr(operation, "activation", None)
    name = "" if function is None else str(getattr(function, "__name__", function))
    return "" if name == "linear" else name


def _operation(label: str, symbol: str, weights: int, total: int) -> str:
    share = f"{weights / total:.1%}" if total and weights else ""
    rule = "-" * 16 if weights else ""
    return _LINE.format(label, symbol, rule, "", f"{weights:,}" if weights else "", share).rstrip()


def _tensor(label: str, step: Step) -> str:
    return _LINE.format(label, "#####", _dimensions(step.shape), step.letter, "", "").rstrip()


def _dimensions(shape: Shape) -> str:
    return " x ".join("?" if size is None else str(size) for size in shape) or "1"


def _totals(model: Any, total: int) -> list[str]:
    trained = sum(math.prod(variable.shape) for variable in model.trainable_weights)
    words = counted(total, "weight") + ("" if trained == total else f", {trained:,} of them trained")
    return [f"{words} ({4 * total / 1e3:,.3g} kB as float32)"]


def _training(built: Built, preparation: str) -> list[str]:
    model, recipe = built.model, built.recipe
    optimizer = model.optimizer
    rate = f" at learning rate {compact(float(optimizer.learning_rate))}"
    loss = model.loss if isinstance(model.loss, str) else getattr(model.loss, "name", str(model.loss))
    parts = [f"loss {loss}", f"{type(optimizer).__name__}{rate}"]
    options = {"batches of {} rows": recipe.batch_size, "at most {} epochs": recipe.epochs}
    parts += [text.format(value) for text, value in options.items() if value is not None]
    parts += [f"{recipe.schedule} schedule"] if recipe.schedule != "constant" else []
    return [
        *in_words("Table", f"prepared as '{preparation}'"),
        *in_words("Training", ", ".join(parts)),
    ]


def _meanings(model: Any, steps: Sequence[Step]) -> Iterator[str]:
    """Yield what each kind of operation does, in the words of its own docstring."""
    yield from _entry("#####", "what an operation gives for one row; a letter says where it is used once more")
    kinds = {type(step.operation): None for step in steps if not step.is_input}
    if not type(model).__module__.startswith("keras"):
        kinds[type(model)] = None
    for kind in kinds:
        if text := explanation(kind):
            yield from _entry(kind.__name__, text)


def _entry(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"{name}: {text}", WIDTH, initial_indent="    ", subsequent_indent="        ")
