"""Rows of a training table brought to its schema, and further rows joined to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import DataConfig
from workbench.data import cells, checks
from workbench.data.conform import conform
from workbench.data.labels import encode
from workbench.types import Column, Schema

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """What of a data set has an entry for each row: conformed features, target, weight and group."""

    features: pd.DataFrame
    y: Array
    weight: Array | None
    group: pd.Series[Any] | None
    """The cells of the group column."""

    @classmethod
    def of(cls, table: pd.DataFrame, schema: Schema, data: DataConfig, *, origin: str) -> Rows:
        """Bring a table with a target to a schema.

        Raises:
            DataError: what cannot be read, or is no weight or no group; ``origin`` names the table.
        """
        y = encode(table[data.target], schema, origin=origin)
        features = conform(table, schema, origin=origin)
        weight = None if data.weight is None else _weights(table[data.weight], origin)
        group = None if data.group is None else table[data.group]
        if group is not None:
            checks.check_groups(group, origin=origin)
        return cls(features, y, weight, group)

    def codes(self) -> Array | None:
        """Return the groups as int64 codes ``(rows,)``."""
        return None if self.group is None else pd.factorize(self.group)[0].astype(np.int64)


def joined(own: Rows, extra: Sequence[Rows], extra_weight: float) -> Rows:
    """Return the training table's own rows followed by extra ones, which weigh ``extra_weight`` times their weight.

    There are no weights where every row would weigh 1. A group is the same in every table if its cells mean the same
    category, whatever type each file gave them.
    """
    if not extra:
        return own
    parts = [own, *extra]
    return Rows(
        features=pd.concat([part.features for part in parts], ignore_index=True),
        y=np.concatenate([part.y for part in parts]),
        weight=_joined_weights(own, extra, extra_weight),
        group=None if own.group is None else pd.concat([_categories(part.group) for part in parts], ignore_index=True),
    )


def widened(schema: Schema, features: pd.DataFrame) -> Schema:
    """Return a schema whose rows, sizes and gaps are those of a larger conformed table."""

    def wider(column: Column) -> Column:
        if column.kind == "ignored":
            return column
        cells_there = features[column.name]
        size = int(cells_there.nunique()) if column.kind == "categorical" else 0
        return column.model_copy(update={"size": size, "missing": bool(cells_there.isna().any())})

    columns = tuple(wider(column) for column in schema.columns)
    return schema.model_copy(update={"columns": columns, "rows": len(features)})


def repeated_rows(rows: Rows, own: int) -> int:
    """Return how many rows from position ``own`` on equal one before it in every feature and the target."""
    hashes = pd.util.hash_pandas_object(rows.features.assign(**{"": rows.y}), index=False).to_numpy()
    return int(np.isin(hashes[own:], hashes[:own]).sum())


def _joined_weights(own: Rows, extra: Sequence[Rows], extra_weight: float) -> Array | None:
    if own.weight is None and extra_weight == 1.0:
        return None
    weights = [np.ones(len(part.y)) if part.weight is None else part.weight for part in (own, *extra)]
    return np.concatenate([weights[0], *(weight * extra_weight for weight in weights[1:])])


def _categories(group: pd.Series[Any] | None) -> pd.Series[Any]:
    codes, values = cells.factorize(pd.Series(dtype=object) if group is None else group)
    return pd.Series(np.array([cells.category(value) for value in values], dtype=object)[codes], dtype=object)


def _weights(column: pd.Series[Any], origin: str) -> Array:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    checks.check_weights(numbers, name=str(column.name), origin=origin)
    return numbers
