"""Which columns a prediction is given in: those of the sample submission if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.delivery.ranking import best_labels, class_text, shown_labels
from workbench.errors import DataError
from workbench.metrics import Array, labels
from workbench.types import Needs, Scalar, Schema, Value

Kind = Literal["value", "probability", "class_probabilities", "label", "ranking"]


class OutputLayout(Value):
    """The columns of a submission, and of what the exported model returns."""

    columns: tuple[str, ...]
    """Every column, the id's included, in order."""
    kind: Kind
    """``value``: regression. ``probability``: of the positive class. ``class_probabilities``: one column a class.
    ``label``: the class itself. ``ranking``: several classes, best first, with a space between them."""
    id: str | None = None
    """The id's column; ``None`` where a submission has none."""
    id_source: str | None = None
    """Column of the raw rows that the id is taken from; ``None`` for the row's position, from 0."""
    classes: tuple[Scalar, ...] = ()
    """Labels in code order; empty for regression."""
    class_columns: tuple[str, ...] = ()
    """The column of each class, in code order, where ``kind`` is ``class_probabilities``."""
    ranked: int = 0
    """So many classes a row has where ``kind`` is ``ranking``."""

    @property
    def predictions(self) -> tuple[str, ...]:
        """The columns without the id."""
        return tuple(column for column in self.columns if column != self.id)

    @property
    def outputs(self) -> int:
        """The width of the predictions that are laid out: 1, or the number of classes of a multiclass task."""
        return len(self.classes) if len(self.classes) > 2 else 1


def make_layout(
    schema: Schema, metric_needs: Needs, sample: pd.DataFrame | None = None, *, ranked: int | None = None
) -> OutputLayout:
    """Return the layout that the sample submission shows, or the plain one: id and target.

    Columns of the sample that are named after the classes (``setosa``, or all with one prefix: ``Status_C``) take a
    probability each; a single prediction column takes values, probabilities of the positive class, or labels, as the
    metric needs them, or lists of labels where it shows such: ``ranked`` of them (the K of ``map_at_<K>``), else
    as many as its longest list. Without a sample a multiclass probability metric gives one column a class.

    Raises:
        DataError: The sample has columns that cannot be told apart, or none for the prediction.
    """
    if sample is None:
        return _plain(schema, metric_needs)
    names = tuple(str(name) for name in sample.columns)
    if len(set(names)) != len(names) or not names:
        raise DataError(f"the sample submission's columns must be there and differ, got {_listed(names)}")
    class_columns = columns_of_classes(schema, names)
    if class_columns:
        return _with_sample(schema, names, "class_probabilities", class_columns)
    identifier = _id_column(schema, names)
    predicted = [name for name in names if name != identifier]
    if len(predicted) != 1:
        expected = f"'{schema.target}'" + (
            f", or a column for each of {len(schema.classes)} classes" * bool(schema.classes)
        )
        raise DataError(
            f"the sample submission must have one column to predict ({expected}) and at most one id, "
            f"got {_listed(names)}; name the id in data.id if its name is another"
        )
    shown = sample[predicted[0]]
    if schema.task == "multiclass" and (count := shown_labels(shown, schema.classes, ranked)):
        return _with_sample(schema, names, "ranking", ()).model_copy(update={"ranked": count})
    return _with_sample(schema, names, _single_kind(schema, metric_needs, shown), ())


def layout_frame(
    prediction: Array, layout: OutputLayout, ids: Sequence[Any] | Array | pd.Series[Any] | None = None
) -> pd.DataFrame:
    """Return predictions ``(rows, outputs)`` in the layout's columns.

    ``ids`` has one entry a row; without it the row's position from 0 is the id.

    Raises:
        DataError: The width of the predictions is not the layout's.
    """
    if prediction.ndim != 2 or prediction.shape[1] != layout.outputs:
        raise DataError(f"expected predictions of shape (rows, {layout.outputs}), got {prediction.shape}")
    columns: dict[str, Any] = {}
    if layout.id is not None:
        columns[layout.id] = np.arange(len(prediction)) if ids is None else pd.Series(ids).to_numpy()
    if layout.kind == "class_probabilities":
        both = np.column_stack([1.0 - prediction, prediction]) if layout.outputs == 1 else prediction
        columns |= dict(zip(layout.class_columns, both.T, strict=True))
    else:
        columns[layout.predictions[0]] = _single(prediction, layout)
    return pd.DataFrame(columns, columns=pd.Index(layout.columns))


def _single(prediction: Array, layout: OutputLayout) -> Any:
    if layout.kind == "ranking":
        return best_labels(prediction, layout.classes, layout.ranked)
    if layout.kind != "label":
        return prediction[:, 0]
    names = np.empty(len(layout.classes), dtype=object)
    names[:] = layout.classes
    return pd.Series(names[labels(prediction)], dtype=object).infer_objects()


def _plain(schema: Schema, needs: Needs) -> OutputLayout:
    identifier = schema.id or "id"
    kind: Kind = _single_kind(schema, needs, None)
    class_columns: tuple[str, ...] = ()
    if schema.task == "multiclass" and needs != "labels":
        kind, class_columns = "class_probabilities", tuple(class_text(value) for value in schema.classes)
        if identifier in class_columns:
            class_columns = tuple(f"{schema.target}_{name}" for name in class_columns)
    target = schema.target if schema.target != identifier else f"{schema.target}_predicted"
    return OutputLayout(
        columns=(identifier, *(class_columns or (target,))),
        kind=kind,
        id=identifier,
        id_source=schema.id,
        classes=schema.classes,
        class_columns=class_columns,
    )


def _with_sample(schema: Schema, names: tuple[str, ...], kind: Kind, class_columns: tuple[str, ...]) -> OutputLayout:
    if class_columns:
        left = [name for name in names if name not in class_columns]
        if len(left) > 1:
            raise DataError(
                f"the sample submission has columns beside the classes' and one id: got {_listed(names)}, where "
                f"{_listed(class_columns)} are classes"
            )
        identifier = left[0] if left else None
    else:
        identifier = _id_column(schema, names)
    return OutputLayout(
        columns=names,
        kind=kind,
        id=identifier,
        id_source=_id_source(schema, identifier),
        classes=schema.classes,
        class_columns=class_columns,
    )


def _id_source(schema: Schema, identifier: str | None) -> str | None:
    """Return the raw column of the id: the schema's, or the column that is called like the sample's id."""
    if identifier is None or schema.id is not None:
        return schema.id if identifier is not None else None
    return identifier if identifier in {column.name for column in schema.columns} else None


def _id_column(schema: Schema, names: tuple[str, ...]) -> str | None:
    if schema.id in names:
        return schema.id
    if len(names) == 1:
        return None
    others = [name for name in names if name != schema.target]
    return others[0]


def _single_kind(schema: Schema, needs: Needs, shown: pd.Series[Any] | None) -> Kind:
    """Return what a single prediction column takes; ``shown`` is the sample's column."""
    if schema.task == "regression":
        return "value"
    if schema.task == "multiclass" or needs == "labels":
        return "label"
    as_text = shown is not None and shown.dtype.kind not in "bifu" and shown.notna().any()
    known = {class_text(value) for value in schema.classes}
    if as_text and shown is not None and {str(value) for value in shown.dropna()} <= known:
        return "label"  # the sample writes labels where the metric would take probabilities
    return "probability"


def columns_of_classes(schema: Schema, names: Sequence[str]) -> tuple[str, ...]:
    """Return the column of each class in code order (``setosa``, or all with one prefix), or nothing without them."""
    texts = [class_text(value) for value in schema.classes]
    if len(texts) < 2:
        return ()
    prefixes = {name.removesuffix(texts[0]) for name in names if name.endswith(texts[0])}
    for prefix in sorted(prefixes, key=len):
        columns = tuple(prefix + text for text in texts)
        if set(columns) <= set(names):
            return columns
    return ()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"
