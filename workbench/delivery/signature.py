"""What an exported model says of its inputs and outputs, and a few rows to try it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from workbench.delivery.layout import OutputLayout
from workbench.types import Schema

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

EXAMPLE_ROWS = 5


def signature(schema: Schema, layout: OutputLayout) -> ModelSignature:
    """Return names that MLflow checks, and types that it leaves alone.

    Raw rows hold what `conform` reads: a gap makes floats of whole numbers, a column of one table may be text in the
    next. MLflow's column types refuse such rows (whole numbers for a ``double``, gaps in a ``long``), so each input is
    of its type ``any``; kinds are in the model's metadata.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, TensorSpec
    from mlflow.types import Schema as Columns
    from mlflow.types.schema import AnyType

    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs: list[ColSpec | TensorSpec] = [ColSpec(anything, column.name) for column in schema.features]
    if layout.id_source is not None and layout.id_source not in {column.name for column in schema.features}:
        inputs.append(ColSpec(anything, layout.id_source, required=False))
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(anything if name == layout.id else _type(layout), name) for name in layout.columns
    ]
    return ModelSignature(inputs=Columns(inputs), outputs=Columns(outputs))


def _type(layout: OutputLayout) -> str:
    if layout.kind == "ranking":
        return "string"
    kinds = {bool: "boolean", int: "long", float: "double", str: "string"}
    return kinds[type(layout.classes[0])] if layout.kind == "label" else "double"


def example_rows(example: pd.DataFrame, schema: Schema, layout: OutputLayout) -> pd.DataFrame:
    """Return the example's first rows: the model's inputs, gaps as ``None`` so that they are ``null`` in JSON."""
    wanted = [column.name for column in schema.features]
    if layout.id_source is not None and layout.id_source not in wanted and layout.id_source in example.columns:
        wanted = [layout.id_source, *wanted]
    rows = example.loc[:, wanted].head(EXAMPLE_ROWS).reset_index(drop=True).astype(object)
    return rows.where(rows.notna(), None)
