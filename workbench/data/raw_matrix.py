"""The columns of a table as numbers, for stacks that look at them beside the members' predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data.preparation import NativePreparation
from workbench.types import Schema

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RawMatrix:
    """Numbers as they are, NaN where missing, and codes of categories; fitted once, without the target."""

    preparation: NativePreparation

    @classmethod
    def fit(cls, schema: Schema, features: pd.DataFrame) -> Self:
        """Learn the codes of the categories in the conformed table ``features``."""
        preparation = NativePreparation(schema)
        preparation.fit_transform(features, np.zeros(len(features)))
        return cls(preparation)

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Return a conformed table as float64 ``(rows, columns)``."""
        return self.preparation.transform(frame).matrix()

    def state(self) -> dict[str, Any]:
        """Return what was fitted, as JSON types."""
        return self.preparation.state()

    @classmethod
    def from_state(cls, schema: Schema, state: Mapping[str, Any]) -> Self:
        """Return what gave ``state``."""
        return cls(NativePreparation.from_state(schema, state))
