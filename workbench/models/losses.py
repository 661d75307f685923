"""Keras losses that Keras lacks. Imports Keras: import this module inside a factory only."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("workbench")
class Pinball(keras.losses.Loss):  # type: ignore[misc]
    """The loss whose minimum is a quantile (Koenker and Bassett, 1978), as the metric ``pinball_<Q>`` has it."""

    def __init__(self, quantile: float, **kwargs: Any) -> None:
        """Take the quantile, between 0 and 1."""
        super().__init__(**{"name": "pinball", **kwargs})
        self.quantile = quantile

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row ``(rows,)``, the mean over its outputs."""
        error = ops.cast(y_true, y_pred.dtype) - y_pred
        return ops.mean(ops.maximum(self.quantile * error, (self.quantile - 1.0) * error), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "quantile": self.quantile}
