"""Early stopping, the same for epochs and boosting rounds: watch a metric, remember the best, ask whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import TrialFailed, TrialStopped
from workbench.metrics import Metric

Tell = Callable[[int, float, float | None], bool]
"""Takes epoch (1-based), value and training loss; answers whether the whole trial should stop."""


class Watcher:
    """Judges a split's predictions epoch by epoch."""

    def __init__(
        self, metric: Metric, y: NDArray[Any], weight: NDArray[Any] | None, *, patience: int, tell: Tell
    ) -> None:
        """Watch ``metric`` of predictions of the rows with targets ``y`` and weights ``weight``, both ``(rows,)``."""
        self._metric, self._y, self._weight = metric, y, weight
        self._patience, self._tell = patience, tell
        self.best_epoch = 0
        self.best_value = float("nan")
        self.epoch = 0

    def judge(self, prediction: NDArray[Any], loss: float | None = None) -> bool:
        """Take the predictions ``(rows, outputs)`` after another epoch; return whether they are the best so far.

        Raises:
            TrialFailed: the loss or a prediction is not finite (code ``nonfinite``).
            TrialStopped: the report was answered with 'stop'.
        """
        self.epoch += 1
        if (loss is not None and not np.isfinite(loss)) or not np.isfinite(prediction).all():
            raise TrialFailed("nonfinite", f"the loss or a prediction is not finite after epoch {self.epoch}")
        value = self._metric(self._y, prediction, self._weight)
        better = self.best_epoch == 0 or self._metric.better(value, self.best_value)
        if better:
            self.best_epoch, self.best_value = self.epoch, value
        # A metric may be undefined (AUC with one class); there is no such number in a report.
        if np.isfinite(value) and self._tell(self.epoch, value, loss):
            raise TrialStopped(f"stopped after epoch {self.epoch}")
        return better

    @property
    def done(self) -> bool:
        """Whether `patience` epochs have passed without a better value."""
        return self.epoch - self.best_epoch >= self._patience
