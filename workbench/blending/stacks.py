"""Mixes by a model: what `workbench.ensembles.stacking` fits over out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.blending.weighted import Space, into, normed, out_of
from workbench.types import Value

Array = NDArray[Any]


class LinearStack(Value):
    """A linear model of the members' predictions: ridge of values, or a logistic model of log-odds.

    Of several classes it is the log-linear pool: one coefficient a member for all classes, and a bias a class.
    """

    kind: Literal["linear_stack"] = "linear_stack"
    coefficients: tuple[float, ...]
    """``(members,)``; they need neither be positive nor sum to 1."""
    intercept: tuple[float, ...]
    """``(outputs,)``."""
    space: Space

    def apply(self, predictions: Array, features: Array | None = None) -> Array:  # noqa: ARG002 - of every mix
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``."""
        total = np.tile(np.asarray(self.intercept), (predictions.shape[1], 1))
        for coefficient, prediction in zip(self.coefficients, predictions, strict=True):
            total += coefficient * into(prediction, self.space)
        return out_of(total, self.space)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all."""
        return normed(np.abs(np.asarray(self.coefficients)))

    def take(self, order: Sequence[int]) -> LinearStack:
        """Return the mix of the members ``order`` alone, in this order."""
        return self.model_copy(update={"coefficients": tuple(self.coefficients[i] for i in order)})


class BoostedStack(Value):
    """Boosted trees that correct the members' mean, and may look at raw features too."""

    kind: Literal["boosted_stack"] = "boosted_stack"
    model: str
    """LightGBM's text format."""
    inputs: tuple[int, ...]
    """For each member that the trees were given, in their order, its place among the predictions."""
    importances: tuple[float, ...]
    """How much each of ``inputs`` was used, not negative."""
    features: int = 0
    """So many columns of raw features follow the members'; 0: none."""
    space: Space

    def apply(self, predictions: Array, features: Array | None = None) -> Array:
        """Return ``(rows, outputs)`` for ``predictions`` of shape ``(members, rows, outputs)``.

        Raises:
            ValueError: it was fitted with raw features, and other ones are given, or none.
        """
        given = 0 if features is None or not self.features else features.shape[1]
        if given != self.features:
            raise ValueError(f"this stack looks at {self.features} raw features, received {given}")
        columns, mean = stack_columns(predictions, self.inputs, self.space, features if self.features else None)
        raw: Array = self._booster.predict(columns, raw_score=True, num_threads=1)
        return out_of(mean + raw.reshape(mean.shape), self.space)

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.model)

    def shares(self) -> Array:
        """Return how much each member counts, ``(members,)``, not negative, 1 in all; none counts nothing."""
        used = normed(np.asarray(self.importances))
        shares = np.empty(len(used))
        shares[list(self.inputs)] = 0.5 * (used + 1.0 / len(used))  # the mean that is corrected is of all alike
        return shares

    def take(self, order: Sequence[int]) -> BoostedStack:
        """Return the mix of the members in the order ``order``, among which all of its own must be."""
        places = {old: new for new, old in enumerate(order)}
        return self.model_copy(update={"inputs": tuple(places[place] for place in self.inputs)})


def stack_columns(
    predictions: Array, inputs: Sequence[int], space: Space, features: Array | None
) -> tuple[Array, Array]:
    """Return what boosted trees look at, float32 ``(rows, columns)``, and the mean that they correct.

    Args:
        predictions: Of each member, ``(members, rows, outputs)``.
        inputs: The members' places among them, in the order of the columns.
        space: Where the mean is taken, ``(rows, outputs)``.
        features: Raw features ``(rows, columns)`` that follow the members', or ``None``.
    """
    rows, outputs = predictions.shape[1:]
    own = len(inputs) * outputs
    columns = np.empty((rows, own + (0 if features is None else features.shape[1])), np.float32)
    mean = np.zeros((rows, outputs))
    for number, place in enumerate(inputs):
        moved = into(predictions[place], space)
        columns[:, number * outputs : (number + 1) * outputs] = moved
        mean += moved / len(inputs)
    if features is not None:
        columns[:, own:] = features
    return columns, mean
