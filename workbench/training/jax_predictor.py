"""Predictions of a Keras model on JAX, with any weights, for any number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from workbench.models.factory import as_factory_error
from workbench.training import jax_programs
from workbench.training.jax_arguments import Outside, shaped
from workbench.training.jax_flat import flatten
from workbench.training.jax_layout import Layout
from workbench.training.keras_batches import filled, rows_a_call
from workbench.training.keras_feed import Feed, count, take
from workbench.training.keras_state import Weights
from workbench.training.keras_targets import primary


class JaxPredictor:
    """Predicts with one program of all splits. A single model's rows are dealt out to the places of the splits."""

    def __init__(self, model: Any, layout: Layout | None = None, rows: int | None = None) -> None:
        """Take a model whose variables exist, how its splits lie, and how many rows of each are predicted at most.

        Without ``rows`` each call of `predict` takes as many as fit its own.
        """
        self._model, self.layout = model, layout or Layout("map", 1)
        self._rows = None if rows is None else rows_a_call(rows)
        self._programs: dict[int, tuple[Any, Any]] = {}

    def predict(self, weights: Weights, x: Feed) -> NDArray[Any]:
        """Return the output ``(rows, …)``."""
        slots, total = self.layout.slots, count(x)
        rows = self._rows or rows_a_call(-(-total // slots))
        everywhere = [
            self.layout.put(np.broadcast_to(np.asarray(value), (slots, *np.shape(value))))
            for value in (*weights.trainable, *weights.non_trainable)
        ]
        parts = []
        for first in range(0, max(total, 1), slots * rows):
            part = filled(take(x, slice(first, first + slots * rows)), slots * rows)
            dealt = jax.tree.map(lambda array: array.reshape(slots, rows, *array.shape[1:]), part)
            output = np.asarray(self(everywhere, dealt))
            parts.append(output.reshape(slots * rows, *output.shape[2:]))
        return np.concatenate(parts)[:total]

    def chunks(self, feeds: Sequence[Feed]) -> list[Any]:
        """Return the rows of each split as stacked arrays on the devices, to be given to calls one after another."""
        most = max(map(count, feeds))
        rows = self._rows or rows_a_call(most)
        cut = [[filled(take(x, slice(first, first + rows)), rows) for x in feeds] for first in range(0, most, rows)]
        return [self.layout.stack_trees(trees) for trees in cut]

    def __call__(self, weights: Sequence[Any], x: Any) -> Any:
        """Return the output ``(slots, rows, …)`` for stacked weights, in their order, and stacked rows."""
        rows = int(jax.tree.leaves(x)[0].shape[1])
        if rows not in self._programs:
            self._programs[rows] = self._compiled(weights, x)
        program, outside = self._programs[rows]
        return program(outside, {"weights": list(weights), "x": jax.tree.leaves(x)})

    def _compiled(self, weights: Sequence[Any], x: Any) -> tuple[Any, Any]:
        one = jax.tree.map(lambda array: shaped(array.shape[1:], array.dtype), (list(weights), x))
        try:
            traced = jax.jit(self._output).trace(*one)
        except Exception as error:  # it is the user's code
            raise as_factory_error("predict_step", error) from error
        outside = Outside(flatten(traced.jaxpr).only([0]))

        def of_one(shared: Any, own: Any) -> Any:
            return outside.run(shared, [*own["weights"], *own["x"]])[0]

        own = {"weights": list(weights), "x": jax.tree.leaves(x)}
        program = jax_programs.compiled(outside.key, self.layout, of_one, outside.arguments, own)
        return program, outside.arguments

    def _output(self, weights: Sequence[Any], x: Any) -> Any:
        model, trainable = self._model, len(self._model.trainable_variables)
        # What inference is, the model's own predict_step may say.
        outputs, _ = model.predict_step((list(weights[:trainable]), list(weights[trainable:])), (x,))
        return primary(model, outputs)
