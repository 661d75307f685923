"""Prepared rows as a Keras model takes them: by input name, or as one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import FactoryError
from workbench.models.problem import Problem

Feed = Any
"""A tree of arrays, each with the rows as its first axis."""


def feed(model: Any, prepared: Prepared) -> Feed:
    """Return the rows in the structure of the model's inputs.

    A model with the inputs of `Problem.inputs` gets them by name; one with a single input of another name (as plain
    KerasTuner factories have) gets one float32 matrix: numerics, then categorical codes.

    Raises:
        FactoryError: the model has inputs that nothing is known to feed.
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
    # A Sequential model that was built from a batch has inputs, but no structure of them.
    return matrix if isinstance(model, keras.Sequential) else keras.tree.map_structure(lambda _: matrix, model.input)


def targets(y: NDArray[Any], problem: Problem) -> NDArray[Any]:
    """Return the targets as Keras losses take them: ``(rows, 1)``, int32 codes for multiclass tasks, else float32."""
    return np.asarray(y, dtype=np.int32 if problem.task == "multiclass" else np.float32)[:, None]


def take(rows: Feed, index: Any) -> Feed:
    """Return some rows of a feed."""
    import keras

    return keras.tree.map_structure(lambda array: array[index], rows)


def count(rows: Feed) -> int:
    """Return the number of rows of a feed."""
    import keras

    return len(keras.tree.flatten(rows)[0])
