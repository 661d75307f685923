"""What a factory is told, and the helpers that let a Keras factory be about its idea only.

A complete Keras factory::

    def build(hp, problem):
        x = problem.encode(hp)
        for _ in range(hp.Int("depth", 1, 4, default=2)):
            x = keras.layers.Dense(hp.Int("width", 32, 512, default=128, sampling="log"), "relu")(x)
        return problem.model(x, optimizer=keras.optimizers.AdamW(hp.Float("lr", 1e-4, 1e-2, sampling="log")))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from workbench.errors import FactoryError
from workbench.metrics import Objective, objective
from workbench.types import InputSchema, Scalar, Task

if TYPE_CHECKING:
    import keras

    from workbench.models.hyperparameters import HyperParameters

HEAD = "prediction"
"""The name of the output layer, by which the prediction is known among several outputs."""
COSTLY = 5_000_000
"""Rows x columns x outputs from which on the defaults of boosted trees take fewer, larger steps on fewer columns."""


@dataclass(frozen=True)
class Problem:
    """Task, metric, classes and input schema. Never the data itself.

    ``schema`` fixes the widths of the inputs; they are the same in every fold. ``rows`` counts the rows of the whole
    training table, so that a factory can size itself.
    """

    task: Task
    metric: str
    classes: tuple[Scalar, ...] = ()
    schema: InputSchema = field(default_factory=InputSchema)
    rows: int = 0

    def __post_init__(self) -> None:
        """Raise `FactoryError` for an unknown task."""
        if self.task not in get_args(Task):
            raise FactoryError(f"task: expected one of {', '.join(get_args(Task))}, got '{self.task}'")

    @property
    def outputs(self) -> int:
        """The width of a prediction: 1 for regression and binary tasks, else the number of classes."""
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def width(self) -> int:
        """Columns of the plain matrix that models without named inputs get: numeric ones, then categorical codes."""
        return len(self.schema.numeric) + len(self.schema.categorical)

    @property
    def costly(self) -> bool:
        """Whether a round of boosting, which looks at rows x columns x outputs, costs so much that few must do."""
        return self.rows * self.width * self.outputs > COSTLY

    def fresh(self) -> Problem:
        """Return an equal problem whose Keras inputs have not been made: each build needs its own."""
        return replace(self)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The ``keras.Input`` of this build: ``numeric`` float32 ``(rows, p)``, ``categorical`` int32 ``(rows, q)``.

        One of no width is absent. The tensors are made at the first access and stay the same afterwards.
        """
        import keras

        shapes = {
            "numeric": (len(self.schema.numeric), "float32"),
            "categorical": (len(self.schema.categorical), "int32"),
        }
        made = {
            name: keras.Input((width,), dtype=dtype, name=name) for name, (width, dtype) in shapes.items() if width > 0
        }
        if not made:
            raise FactoryError("the table has no feature that a model could see; every column is ignored")
        return made

    def encode(self, hp: HyperParameters) -> Any:
        """Return a tensor ``(rows, features)``: the numerics beside embeddings of the categories.

        All embeddings have the width ``hp["embedding"]``, a power of two from 2 to 32, and lie in one table, each
        feature at its own offset: one gather instead of a layer a feature keeps the program small and its compilation
        short.
        """
        import keras

        parts = [self.inputs["numeric"]] if "numeric" in self.inputs else []
        if "categorical" in self.inputs:
            # Few widths: each is another program to compile.
            width = hp.Int("embedding", 2, 32, step=2, default=8, sampling="log")
            parts.append(keras.layers.Flatten()(self.embedded(width)))
        return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)

    def embedded(self, width: int) -> Any:
        """Return embeddings of the categorical features, ``(rows, q, width)``."""
        import keras

        sizes = np.asarray(self.schema.sizes, dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        codes = keras.ops.add(self.inputs["categorical"], offsets[None, :])
        initializer = keras.initializers.RandomNormal(stddev=width**-0.5)
        return keras.layers.Embedding(int(sizes.sum()), width, embeddings_initializer=initializer)(codes)

    @property
    def activation(self) -> str:
        """The activation of the output layer."""
        return {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}[self.task]

    @property
    def objective(self) -> Objective:
        """The kind of error that a regression should minimise for the metric: squared, absolute, or of a quantile."""
        return objective(self.metric)

    @property
    def loss(self) -> Any:
        """The Keras loss that fits the task and the metric: a name, or a ``keras.losses.Loss``."""
        if self.task == "binary":
            return "binary_crossentropy"
        if self.task == "multiclass":
            return "sparse_categorical_crossentropy"
        kind, quantile = self.objective
        if kind != "quantile":
            return {"squared": "mean_squared_error", "absolute": "mean_absolute_error"}[kind]
        from workbench.models.losses import Pinball

        return Pinball(quantile)

    def head(self, x: Any) -> Any:
        """Return the output tensor ``(rows, outputs)`` above ``x`` of shape ``(rows, features)``."""
        import keras

        return keras.layers.Dense(self.outputs, activation=self.activation, dtype="float32", name=HEAD)(x)

    def model(self, x: Any, *, optimizer: keras.optimizers.Optimizer | str = "adam") -> keras.Model:
        """Return the compiled model from `inputs` to the `head` above ``x``."""
        import keras

        model = keras.Model(self.inputs, self.head(x))
        model.compile(optimizer=optimizer, loss=self.loss)
        return model

    def to_json(self) -> dict[str, Any]:
        """Return this problem as plain JSON types."""
        return {
            "task": self.task,
            "metric": self.metric,
            "classes": list(self.classes),
            "schema": self.schema.model_dump(mode="json"),
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        """Return the problem that `to_json` described."""
        return cls(
            task=data["task"],
            metric=data["metric"],
            classes=tuple(data["classes"]),
            schema=InputSchema.model_validate(data["schema"]),
            rows=data["rows"],
        )
