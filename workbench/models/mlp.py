"""The deep family: embeddings, residual dense blocks, an ensemble in one model, AdamW.

The defaults were chosen by out-of-fold scores on six data sets (binary and regression, 442 to 32,561 rows). What made
the difference, in this order: members that share their kernels (TabM, Gorishniy et al., 2025), and periodic embeddings
of numbers for large tables, where the plain numbers are better for small ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family
from workbench.models.rates import rates
from workbench.models.recipe import Recipe

if TYPE_CHECKING:
    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.mlp:build", preparation="scaled", version=2, neural=True)

MANY_ROWS = 5000
"""From here on frequencies can be learned; with less they are noise that is fitted."""


@rates(lr="learning_rate", weight_decay="weight_decay", dropout="rate")
def build(hp: HyperParameters, problem: Problem) -> Recipe:
    """Return a compiled model and how it is trained.

    The ranges follow Gorishniy et al. (2021, "Revisiting deep learning models for tabular data") and TabM's appendix.
    """
    from workbench.models.layers import MembersModel
    from workbench.models.optimizers import AdamW

    hidden = _hidden(hp, problem, _features(hp, problem))
    model = MembersModel(problem.inputs, _outputs(problem, hidden))
    rate = hp.Float("lr", 3e-4, 2e-2, sampling="log", default=3e-3)
    decay = hp.Float("weight_decay", 1e-4, 1.0, sampling="log", default=1e-2)
    model.compile(optimizer=AdamW(learning_rate=rate, weight_decay=decay, clipnorm=1.0), loss=problem.loss)
    batch = hp.Choice("batch_size", [32, 64, 128, 256, 512], default=_batch(problem.rows))
    return Recipe(model=model, batch_size=batch, epochs=40, patience=_by_rows(problem, 12, 8), schedule="cosine")


def _features(hp: HyperParameters, problem: Problem) -> Any:
    import keras

    if not problem.schema.numeric:
        return problem.encode(hp)
    numbers = hp.Choice("numbers", ["plain", "periodic"], default=_by_rows(problem, "plain", "periodic"))
    if numbers == "plain":
        return problem.encode(hp)
    from workbench.models.layers import PeriodicEmbedding

    with hp.conditional_scope("numbers", ["periodic"]):
        sigma = hp.Float("sigma", 0.05, 10.0, sampling="log", default=2.0)
        frequencies = hp.Int("frequencies", 8, 48, step=8, default=32)
    parts = [PeriodicEmbedding(frequencies, 8, sigma)(problem.inputs["numeric"])]
    if problem.schema.categorical:
        width = hp.Int("embedding", 2, 32, step=2, default=8, sampling="log")
        parts.append(keras.layers.Flatten()(problem.embedded(width)))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _hidden(hp: HyperParameters, problem: Problem, x: Any) -> Any:
    """Return ``(rows, members, width)``."""
    import keras

    from workbench.models.dropout import Dropout
    from workbench.models.layers import MembersDense

    members = hp.Choice("members", [1, 4, 8, 16], default=_by_rows(problem, 8, 4))
    width = hp.Int("width", 32, 512, sampling="log", default=128)
    activation = hp.Choice("activation", ["relu", "silu", "gelu"], default="relu")
    dropout = hp.Float("dropout", 0.0, 0.5, default=0.1)
    norm = hp.Choice("norm", ["none", "layer"], default="none")
    x = keras.layers.Reshape((1, x.shape[-1]))(x)
    x = MembersDense(members, width, first=True)(x)
    x = Dropout(dropout)(keras.layers.Activation(activation)(x))
    for _ in range(hp.Int("depth", 1, 5, default=3) - 1):
        inner = keras.layers.LayerNormalization()(x) if norm == "layer" else x
        inner = keras.layers.Activation(activation)(MembersDense(members, width)(inner))
        x = keras.layers.Add()([x, Dropout(dropout)(inner)])
    return x


def _outputs(problem: Problem, hidden: Any) -> Any:
    import keras

    from workbench.models.layers import MembersHead

    # In float32 under any policy: 8 bits of a logit are not enough to rank rows by.
    logits = MembersHead(problem.outputs, dtype="float32")(hidden)
    return keras.layers.Activation(problem.activation, dtype="float32")(logits)


def _by_rows(problem: Problem, few: Any, many: Any) -> Any:
    return few if problem.rows < MANY_ROWS else many


def _batch(rows: int) -> int:
    return 32 if rows < 2000 else 128 if rows < 10000 else 256
