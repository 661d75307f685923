"""Prepared rows as a Keras model takes them: by input name, or as one matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import FactoryError

Feed = Any
"""A tree of arrays, each with the rows as its first axis."""


def feed(model: Any, prepared: Prepared) -> Feed:
    """Return the rows in the structure of the model's inputs.

    A model with the inputs of `Problem.inputs` gets them by name; one with a single input of another name (as plain
    KerasTuner factories have) gets one float32 matrix: numerics, then categorical codes; in the shape of the input
    where that is another one of as many numbers, such as an image's whose pixels are the columns, row by row.

    Raises:
        FactoryError: the model has inputs that nothing is known to feed, or an input of another size.
    """
    import keras

    arrays = {
        "numeric": np.asarray(prepared.numeric, dtype=np.float32),
        "categorical": np.asarray(prepared.categorical, dtype=np.int32),
    }
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return np.asarray(prepared.matrix(), dtype=np.float32)
    names = [tensor.name for tensor in inputs]
    if set(names) <= set(arrays):
        return keras.tree.map_structure(lambda tensor: arrays[tensor.name], model.input)
    if len(names) > 1:
        raise FactoryError(f"the model has inputs {names}, expected those of problem.inputs, or a single one")
    matrix = np.asarray(prepared.matrix(), dtype=keras.backend.standardize_dtype(inputs[0].dtype))
    matrix = _shaped(matrix, tuple(inputs[0].shape[1:]))
    # A Sequential model that was built from a batch has inputs, but no structure of them.
    return matrix if isinstance(model, keras.Sequential) else keras.tree.map_structure(lambda _: matrix, model.input)


def _shaped(matrix: NDArray[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return a matrix ``(rows, columns)`` as ``(rows, *shape)``; one dimension may be open."""
    rows, columns = matrix.shape
    numbers, gaps = math.prod(size or 1 for size in shape), shape.count(None)
    fits = columns % numbers == 0 if gaps == 1 else columns == numbers and not gaps
    if not fits:
        raise FactoryError(
            f"the model's input has shape {shape}, {numbers} numbers a row, but the prepared table has shape "
            f"({columns},). Columns that are constant are left out unless data.columns says that they are numeric"
        )
    return matrix.reshape(rows, *(columns // numbers if size is None else size for size in shape))


def take(rows: Feed, index: Any) -> Feed:
    """Return some rows of a feed."""
    import keras

    return keras.tree.map_structure(lambda array: array[index], rows)


def count(rows: Feed) -> int:
    """Return the number of rows of a feed."""
    import keras

    return len(keras.tree.flatten(rows)[0])
