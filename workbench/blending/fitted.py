"""The whole way from members' predictions to the blend's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.blending.calibration import Calibration, as_distribution
from workbench.blending.decision import Decision
from workbench.blending.mix import Chosen, Mix, reads_features
from workbench.types import Value

Array = NDArray[Any]


class FittedBlend(Value):
    """A mix, then a calibration, then a decision. Each row is predicted alone."""

    mix: Mix
    calibration: Calibration | None = None
    decision: Decision | None = None
    probabilities: bool
    """Whether predictions are probabilities, which are then held between 0 and 1; several classes sum to 1."""

    @property
    def reads_features(self) -> bool:
        """Whether it looks at raw features beside the members' predictions."""
        return reads_features(self.mix)

    def predict(self, predictions: Array, features: Array | None = None) -> Array:
        """Return ``(rows, outputs)``.

        Args:
            predictions: Of each member, ``(members, rows, outputs)``.
            features: Raw features ``(rows, columns)``, where a stack was fitted with some.
        """
        return self.decide(self.undecided(predictions, features))

    def undecided(self, predictions: Array, features: Array | None = None) -> Array:
        """Return the prediction ``(rows, outputs)`` before the decision."""
        mixed = self.mix.apply(predictions, features)
        if self.probabilities:
            mixed = np.clip(mixed, 0.0, 1.0) if mixed.shape[1] == 1 else as_distribution(mixed)
        return mixed if self.calibration is None else self.calibration.apply(mixed)

    def decide(self, prediction: Array) -> Array:
        """Return what the decision makes of `undecided` predictions ``(rows, outputs)``."""
        return prediction if self.decision is None else self.decision.apply(prediction)

    def spread(self, places: Sequence[int], count: int) -> FittedBlend:
        """Return the blend of ``count`` members of which those at ``places`` are its own; the others do not count."""
        return self.model_copy(update={"mix": Chosen(places=tuple(places), count=count, mix=self.mix)})

    def take(self, order: Sequence[int]) -> FittedBlend:
        """Return the blend of the members ``order`` alone, in this order."""
        return self.model_copy(update={"mix": self.mix.take(order)})
