"""Mixes by weight: averages in some space, and averages of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from workbench.types import Value

Array = NDArray[Any]
Space = Literal["linear", "log1p", "log", "logit"]
"""Where an average is taken. ``logit`` of probabilities: log-odds of two classes, log-probabilities of several."""

TINY = 1e-12
"""Probabilities are held so far from 0 and 1, and values so far from 0, before their logarithm is taken."""

TIED = 12
"""Decimals of a mean rank: ranks of a million rows are 5e-7 apart."""


class Weighted(Value):
    """The weighted average of predictions.

    ``weights`` is ``(members, 1)``, or ``(members, outputs)`` where each class has weights of its own.
    """

    kind: Literal["weighted"] = "weighted"
    weights: tuple[tuple[float, ...], ...]
    space: Space = "linear"

    @classmethod
    def of(cls, weights: Array | Sequence[float], space: Space = "linear") -> Weighted:
        """Return the average under weights ``(members,)`` or ``(members, outputs)``."""
        table = np.asarray(weights, dtype=np.float64)
        return cls(weights=tuple(map(tuple, table.reshape(len(table), -1).tolist())), space=space)

    @property
    def array(self) -> Array:
        """The weights, float64 ``(members, 1 or outputs)``."""
        return np.asarray(self.weights, dtype=np.float64)

    def apply(self, predictions: Array, features: Array | None = None) -> Array:  # noqa: ARG002 - of every mix
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        weights = self.array
        if self.space == "linear" and weights.shape[1] == 1:
            count, rows, outputs = predictions.shape
            flat: Array = weights[:, 0] @ predictions.reshape(count, rows * outputs)
            return flat.reshape(rows, outputs)
        total = np.zeros(predictions.shape[1:])
        for weight, prediction in zip(weights, predictions, strict=True):
            if weight.any():
                total += weight * into(prediction, self.space)
        return out_of(total, self.space)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(np.abs(self.array).mean(axis=1))

    def take(self, order: Sequence[int]) -> Weighted:
        """Return the mix of the members ``order`` alone, in this order."""
        return self.model_copy(update={"weights": tuple(self.weights[i] for i in order)})


class Ranked(Value):
    """The weighted average of ranks among the out-of-fold predictions: a share from 0 to 1.

    Each row is ranked alone, against what the member predicted out-of-fold, so it hangs on no other row.
    """

    kind: Literal["ranked"] = "ranked"
    weights: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    """Of each member: predictions, rising."""
    ranks: tuple[tuple[float, ...], ...]
    """Of each member: the share of out-of-fold predictions below each of ``values``; between them it is linear."""

    def apply(self, predictions: Array, features: Array | None = None) -> Array:  # noqa: ARG002 - of every mix
        """Return ``(rows, 1)`` for ``predictions`` of shape ``(members, rows, 1)``."""
        total = np.zeros(predictions.shape[1:])
        for weight, values, ranks, prediction in zip(self.weights, self.values, self.ranks, predictions, strict=True):
            total += weight * np.interp(prediction, values, ranks)
        return np.round(total, TIED)  # sums in another order must not part what is tied

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(np.abs(np.asarray(self.weights)))

    def take(self, order: Sequence[int]) -> Ranked:
        """Return the mix of the members ``order`` alone, in this order."""
        parts = ("weights", "values", "ranks")
        return self.model_copy(update={name: tuple(getattr(self, name)[i] for i in order) for name in parts})

    @field_validator("values", "ranks", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return tuple(tuple(np.asarray(part).tolist()) for part in value)


def into(prediction: Array, space: Space) -> Array:
    """Return predictions ``(rows, outputs)`` in the space where they are averaged."""
    if space == "log1p":
        return np.log1p(np.maximum(prediction, 0.0))  # rmsle takes what is negative for 0
    if space == "log":
        return np.log(np.maximum(prediction, TINY))
    if space == "logit":
        clipped = np.clip(prediction, TINY, 1.0 - TINY)
        logits: Array = np.log(clipped) - np.log1p(-clipped) if clipped.shape[1] == 1 else np.log(clipped)
        return logits
    return prediction


def out_of(average: Array, space: Space) -> Array:
    """Return what `into` is undone by, ``(rows, outputs)``; of several classes the softmax."""
    if space == "log1p":
        return np.expm1(average)
    if space == "log":
        return np.exp(average)
    if space == "logit":
        if average.shape[1] == 1:
            return sigmoid(average)
        powers = np.exp(average - average.max(axis=1, keepdims=True))
        result: Array = powers / powers.sum(axis=1, keepdims=True)
        return result
    return average


def sigmoid(logits: Array) -> Array:
    """Return the logistic function, without overflow."""
    from scipy.special import expit

    result: Array = expit(logits)
    return result


def normed(parts: Array) -> Array:
    """Return parts that sum to 1; equal ones where all are 0."""
    total = parts.sum()
    result: Array = parts / total if total > 0.0 else np.full(len(parts), 1.0 / len(parts))
    return result
