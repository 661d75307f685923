"""An optimizer whose options are data. Imports Keras: import this module inside a factory only."""

from __future__ import annotations

from typing import Any

import keras

from workbench.models.dropout import short


@keras.saving.register_keras_serializable("workbench")
class AdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """``keras.optimizers.AdamW`` (Loshchilov and Hutter, 2019) whose weight decay is a variable, like its rate.

    The variable is named ``weight_decay`` and one of the optimizer's: models that differ in it alone share one compiled
    program. Arguments and updates are those of Keras.
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, **kwargs: Any) -> None:
        """Take the arguments of ``keras.optimizers.AdamW``."""
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.weight_decay = self.add_variable(
            shape=(),
            initializer=keras.initializers.Constant(weight_decay),
            aggregation="only_first_replica",
            name="weight_decay",
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with the present weight decay."""
        return {**super().get_config(), "weight_decay": short(self.weight_decay)}
