"""What a Keras model returns, and what its losses compare that with: a prediction, or several outputs with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import FactoryError
from workbench.models.problem import HEAD, Problem
from workbench.training.build import is_keras

_CATEGORICAL = frozenset({"categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge"})
_ELEMENTWISE = frozenset(
    {"binarycrossentropy", "bce", "binaryfocalcrossentropy", "meansquarederror", "mse", "meanabsoluteerror", "mae"}
    | {"huber", "logcosh", "poisson", "kldivergence", "kld", "kullbackleiblerdivergence", "cosinesimilarity"}
    | {"dice", "tversky"}
)
"""Losses that compare each output with a target of its own: codes of classes would be broadcast, and train nonsense."""
_BY_CLASS = {"regression": frozenset[str](), "binary": _CATEGORICAL, "multiclass": _CATEGORICAL | _ELEMENTWISE}


def targets(y: NDArray[Any], problem: Problem, model: Any = None) -> Any:
    """Return the targets as the losses of Keras take them.

    They are ``(rows, 1)``, int32 codes for multiclass tasks, else float32; and float32 indicators ``(rows, classes)``
    where the model's loss compares class by class, as ``categorical_crossentropy`` does. A model with several outputs
    gets a tree in their structure, each in the form that the output's own loss takes; one that is compiled without a
    loss, as it computes its own, gets the plain ones.

    Raises:
        FactoryError: the model cannot be called with rows of this table.
    """
    loss = getattr(model, "loss", None)
    structure = None if loss is None or not is_keras(model) else _structure(model, problem)
    if structure is None:
        return _target(y, problem, loss)
    import keras

    return keras.tree.pack_sequence_as(structure, [_target(y, problem, o.loss) for o in _outputs(model, structure)])


def primary(model: Any, outputs: Any) -> Any:
    """Return the prediction among a model's outputs: the one called ``prediction``, as `Problem.head` is, or the first.

    An output's name is its key where the outputs are a dict, else that of the layer that a functional model has it
    from. It may be called while a program is traced.

    Args:
        model: the model.
        outputs: what it returned: an array, a traced or a symbolic tensor, or a tree of them.
    """
    import keras

    leaves = keras.tree.flatten(outputs)
    if len(leaves) == 1:
        return leaves[0]
    named = [leaf for leaf, output in zip(leaves, _outputs(model, outputs), strict=True) if output.name == HEAD]
    if named:
        return named[0]
    # The first in the model's own order: flattened, the keys of a dict are sorted.
    while keras.tree.is_nested(outputs):
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return outputs


def output_spec(model: Any, x: Any) -> Any:
    """Return what a model predicts for rows like ``x``, as symbolic tensors: nothing is computed.

    Raises:
        FactoryError: the model cannot be called with such rows.
    """
    import keras
    from keras.src.backend import compute_output_spec

    def symbol(array: Any) -> Any:
        return keras.KerasTensor((None, *array.shape[1:]), keras.backend.standardize_dtype(array.dtype))

    inputs = keras.tree.map_structure(symbol, x)
    try:
        return compute_output_spec(lambda tensors: model(tensors, training=False), inputs)
    except Exception as error:  # it is the user's code
        said = f"{type(error).__name__}: {error}"
        raise FactoryError(f"the model cannot be called with rows of this table: {said}") from error


def broadcast(model: Any, outputs: Any, target: Any) -> int:
    """Return the width of an output that its loss compares, number by number, with one target: Keras would repeat that.

    It is 0 where no output is; ``outputs`` is the `output_spec`, ``target`` the `targets`.
    """
    import keras

    leaves, ys = keras.tree.flatten(outputs), keras.tree.flatten(target)
    if len(ys) == 1:
        leaves, losses = [primary(model, outputs)], [getattr(model, "loss", None)]
    else:
        losses = [output.loss for output in _outputs(model, outputs)]
    for leaf, y, loss in zip(leaves, ys, losses, strict=True):
        width = int(leaf.shape[-1] or 0) if len(leaf.shape) else 0
        if width > y.shape[1] and _loss_name(loss) in _ELEMENTWISE:
            return width
    return 0


@dataclass(frozen=True)
class _Output:
    """One of several outputs: its name, and the loss that it is trained with."""

    name: str
    loss: Any


def _outputs(model: Any, structure: Any) -> list[_Output]:
    """Return the outputs in the order of ``keras.tree.flatten``, which is that of ``output_names`` too."""
    import keras

    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    layers = getattr(model, "output_names", None) or ()  # a class of the user's own has none
    layers = layers if len(layers) == len(paths) else [""] * len(paths)
    keys = [next((key for key in reversed(path) if isinstance(key, str)), "") for path in paths]
    loss = getattr(model, "loss", None)
    if isinstance(loss, (list, tuple)) and len(loss) == len(paths):
        losses = list(loss)
    else:
        losses = [_loss_at(loss, path, str(layer)) for path, layer in zip(paths, layers, strict=True)]
    return [_Output(key or str(layer), own) for key, layer, own in zip(keys, layers, losses, strict=True)]


def _loss_at(loss: Any, path: tuple[Any, ...], layer: str) -> Any:
    """Return the loss of the output at ``path``, by its keys or its layer's name; ``None`` where it is not trained."""
    for key in path:
        if isinstance(loss, dict):
            loss = loss.get(key, loss.get(layer))
        elif isinstance(loss, (list, tuple)):
            loss = loss[key] if isinstance(key, int) and key < len(loss) else None
    return loss


def _structure(model: Any, problem: Problem) -> Any:
    """Return a model's outputs as a tree of symbolic tensors; ``None`` where it has a single one."""
    import keras

    if isinstance(model, keras.Sequential):
        return None
    if getattr(model, "inputs", None):
        found = model.output
    else:
        # A class of the user's own says what it returns when it is called; `feed` gives it the plain matrix.
        found = output_spec(model, np.zeros((1, problem.width), dtype=np.float32))
    return found if len(keras.tree.flatten(found)) > 1 else None


def _target(y: NDArray[Any], problem: Problem, loss: Any) -> NDArray[Any]:
    if _loss_name(loss) in _BY_CLASS[problem.task]:
        return np.eye(len(problem.classes), dtype=np.float32)[np.asarray(y, dtype=np.intp)]
    return np.asarray(y, dtype=np.int32 if problem.task == "multiclass" else np.float32)[:, None]


def _loss_name(loss: Any) -> str:
    while isinstance(loss, (list, tuple, dict)) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return str(name).replace("_", "").lower()
