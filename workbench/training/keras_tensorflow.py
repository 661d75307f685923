"""Keras on TensorFlow: one model trains every split, each epoch is one call of a graph (`tensorflow_epoch`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.training.keras_in_place import InPlaceTrainer, on_device
from workbench.training.keras_program import Table
from workbench.training.tensorflow_epoch import Epochs


class TensorFlowTrainer(InPlaceTrainer):
    """Trains one split after another in the same model: it is traced once, whatever the number of splits.

    ``jit_compile`` of "auto" means XLA on a GPU only, which is kept: on a CPU compiling took 1.6 s instead of 0.4 s,
    and a step of two layers of 128 took 2.3 ms instead of 1.2 ms (one core, batches of 256).
    """

    def __init__(self, model: Any, *, jit_compile: bool | None = None) -> None:
        """Take a model whose variables exist; see `InPlaceTrainer`."""
        super().__init__(model, jit_compile=jit_compile)
        self._epochs = Epochs(model)
        self._table: Any = None

    @property
    def traces(self) -> int:
        """How many times the training was traced."""
        return self._epochs.traces

    def _take(self, table: Table | None) -> None:
        self._table = None if table is None else on_device(table)

    def _train(self, order: NDArray[np.int32]) -> float | None:
        return self._epochs(self._table, order)
