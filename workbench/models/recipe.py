"""What a compiled model does not carry: how it wants to be trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import FactoryError

Schedule = Literal["constant", "cosine"]
RowWeights = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model and its training options; ``None`` takes the experiment's setting.

    Args:
        model: a compiled ``keras.Model``, or a scikit-learn estimator.
        batch_size: rows in a step (Keras only).
        epochs: at most so many epochs; the experiment's setting stays the upper limit (Keras only).
        patience: epochs without a better monitored value before a split ends (Keras only).
        schedule: ``cosine`` lets the learning rate fall to 0 over ``epochs``, epoch by epoch (Loshchilov and Hutter,
            2017); ``constant`` leaves it to the optimizer (Keras only).
        sample_weight: ``function(y)`` returning a weight ``(rows,)`` for each training row of ``y`` ``(rows,)`` (class
            codes or values in the target's units); multiplied with the table's weight column if there is one.
    """

    model: Any
    batch_size: int | None = None
    epochs: int | None = None
    patience: int | None = None
    schedule: Schedule = "constant"
    sample_weight: RowWeights | None = None

    def __post_init__(self) -> None:
        """Raise `FactoryError` for an option out of range."""
        for name in ("batch_size", "epochs", "patience"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise FactoryError(f"Recipe({name}=): expected a whole number above 0 or None, got {value!r}")
        if self.schedule not in get_args(Schedule):
            raise FactoryError(f"Recipe(schedule=): expected {' or '.join(get_args(Schedule))}, got {self.schedule!r}")
        if self.sample_weight is not None and not callable(self.sample_weight):
            raise FactoryError(f"Recipe(sample_weight=): expected a function of y, got {self.sample_weight!r}")

    def row_weights(
        self, y: NDArray[Any], weight: NDArray[Any] | None, train: NDArray[np.intp]
    ) -> NDArray[np.float64] | None:
        """Return the weight of each row ``(rows,)``, or ``None`` when every row counts the same.

        The recipe's function sees the targets of the training rows alone: what it draws from them, such as the share of
        each class, must not come from rows that are validated. All other rows have its weight NaN.

        Args:
            y: targets of the whole table ``(rows,)``.
            weight: the table's weight column ``(rows,)``.
            train: positions of the rows that are trained on.

        Raises:
            FactoryError: the recipe's function returned another shape, or a negative or non-finite weight.
        """
        if self.sample_weight is None:
            return weight
        seen = y[train]
        own = np.asarray(self.sample_weight(seen), dtype=np.float64)
        if own.shape != seen.shape or not np.isfinite(own).all() or (own < 0).any():
            raise FactoryError(
                f"Recipe(sample_weight=): expected {len(seen)} finite weights of at least 0 with shape {seen.shape}, "
                f"got shape {own.shape}"
            )
        full = np.full(len(y), np.nan)
        full[train] = own if weight is None else own * weight[train]
        return full
