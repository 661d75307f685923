"""Mixes by a model: what `workbench.ensembles.stacking` fits over out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.blending.weighted import into, normed, sigmoid
from workbench.types import Value

Array = NDArray[Any]


class LinearStack(Value):
    """A linear model of the members' predictions: ridge, or logistic regression of their log-odds."""

    kind: Literal["linear_stack"] = "linear_stack"
    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    """``(members, outputs in, outputs)``."""
    intercept: tuple[float, ...]
    """``(outputs,)``."""
    link: Literal["identity", "sigmoid", "softmax"] = "identity"
    """With the last two the inputs are log-odds or log-probabilities, and the results probabilities."""

    def apply(self, predictions: Array, features: Array | None = None) -> Array:  # noqa: ARG002 - of every mix
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        total = np.tile(np.asarray(self.intercept), (predictions.shape[1], 1))
        for coefficients, prediction in zip(self.coefficients, predictions, strict=True):
            total += into(prediction, "linear" if self.link == "identity" else "logit") @ np.asarray(coefficients)
        if self.link == "identity":
            return total
        if self.link == "sigmoid":
            return sigmoid(total)
        powers = np.exp(total - total.max(axis=1, keepdims=True))
        result: Array = powers / powers.sum(axis=1, keepdims=True)
        return result

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(np.abs(np.asarray(self.coefficients)).sum(axis=(1, 2)))

    def take(self, order: Sequence[int]) -> LinearStack:
        """Return the mix of the members ``order`` alone, in this order."""
        return self.model_copy(update={"coefficients": tuple(self.coefficients[i] for i in order)})
