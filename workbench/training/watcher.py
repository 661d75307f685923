"""Early stopping, the same for epochs and boosting rounds: watch a metric, remember the best, ask whether to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import TrialFailed, TrialStopped
from workbench.metrics import Metric
from workbench.training.outcome import Told

Tell = Callable[[int, float, float | None], bool]
"""Takes epoch (1-based), value and training loss; answers whether the whole trial should stop."""

NOTHING: NDArray[np.float64] = np.zeros((0, 1))
"""What is predicted where no row is watched."""


class Watcher:
    """Judges a split's predictions epoch by epoch."""

    def __init__(
        self,
        metric: Metric,
        y: NDArray[Any],
        weight: NDArray[Any] | None,
        *,
        patience: int,
        tell: Tell,
        until: float | None = None,
    ) -> None:
        """Watch ``metric`` of predictions of the rows with targets ``y`` and weights ``weight``, both ``(rows,)``.

        ``until`` is the moment of ``time.monotonic()`` from which on an epoch is the last one.
        """
        self._metric, self._y, self._weight = metric, y, weight
        self._patience, self.tell, self._until = patience, tell, until
        self.best_epoch = 0
        self.best_value = float("nan")
        self.epoch = 0
        self.truncated = False
        self.told: list[Told] = []

    def judge(self, prediction: NDArray[Any], loss: float | None = None) -> bool:
        """Take the predictions ``(rows, outputs)`` after another epoch; return whether they are the best so far.

        Raises:
            TrialFailed: the loss or a prediction is not finite, or the patience ran out on a metric that was never
                defined (code ``nonfinite``).
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
        if np.isfinite(value):
            self.told.append((self.epoch, value, loss))
            tell_all(self.tell, self.told[-1:])
        self.truncated = not self._exhausted and self._until is not None and time.monotonic() >= self._until
        if self.done:
            self.check()
        return better

    def check(self) -> None:
        """Raise `TrialFailed` when there were epochs, but the metric had a value after none: no epoch is the best."""
        if self.epoch and np.isnan(self.best_value):
            raise TrialFailed(
                "nonfinite",
                f"the watched metric '{self._metric.name}' is undefined on the watched rows ({len(self._y)} rows, "
                f"{len(np.unique(self._y))} distinct targets); use fewer or stratified folds, training.stopping 'fold' "
                "or another metric",
            )

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best so far."""
        return 0 < self.best_epoch == self.epoch

    def state(self) -> dict[str, Any]:
        """Return what was seen, as JSON types."""
        about = {"epoch": self.epoch, "best_epoch": self.best_epoch, "best_value": self.best_value}
        return {**about, "told": self.told}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what another watcher of the same rows had seen; see `tell_again`."""
        self.told = [(epoch, value, loss) for epoch, value, loss in state["told"]]
        self.epoch, self.best_epoch = int(state["epoch"]), int(state["best_epoch"])
        self.best_value = float(state["best_value"])

    @property
    def done(self) -> bool:
        """Whether `patience` epochs have passed without a better value, or the time is over."""
        return self.truncated or self._exhausted

    @property
    def _exhausted(self) -> bool:
        return self.epoch - self.best_epoch >= self._patience


class Counter(Watcher):
    """Counts epochs where no row is watched: each is better than those before, and only the clock ends them early."""

    def judge(self, prediction: NDArray[Any], loss: float | None = None) -> bool:
        """Take note of another epoch, of which there is nothing to report; see `Watcher.judge`."""
        self.epoch += 1
        if (loss is not None and not np.isfinite(loss)) or not np.isfinite(prediction).all():
            raise TrialFailed("nonfinite", f"the loss is not finite after epoch {self.epoch}")
        self.best_epoch = self.epoch
        self.truncated = self._until is not None and time.monotonic() >= self._until
        return True

    def check(self) -> None:
        """Do nothing: no metric was asked for."""


def tell_again(watchers: Sequence[Watcher]) -> None:
    """Report what watchers of splits that train at once have seen, as they did: epoch by epoch.

    Raises:
        TrialStopped: a report was answered with 'stop'.
    """
    seen = [(point, watcher) for watcher in watchers for point in watcher.told]
    for point, watcher in sorted(seen, key=lambda each: each[0][0]):
        tell_all(watcher.tell, [point])


def tell_all(tell: Tell, points: Iterable[Told]) -> None:
    """Report points of a curve one after another.

    Raises:
        TrialStopped: one was answered with 'stop'.
    """
    for epoch, value, loss in points:
        if tell(epoch, value, loss):
            raise TrialStopped(f"stopped after epoch {epoch}")
