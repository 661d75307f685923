"""The deep family: embeddings, residual dense blocks, AdamW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.family import Family
from workbench.models.recipe import Recipe

if TYPE_CHECKING:
    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.mlp:build", preparation="scaled", version=1, neural=True)


def build(hp: HyperParameters, problem: Problem) -> Recipe:
    """Return a compiled model and how it is trained."""
    import keras

    x = _features(hp, problem)
    width = hp.Int("width", 32, 512, sampling="log", default=128)
    activation = hp.Choice("activation", ["gelu", "relu", "silu"], default="silu")
    dropout = hp.Float("dropout", 0.0, 0.5, default=0.1)
    norm = hp.Choice("norm", ["none", "layer", "batch"], default="none")
    x = keras.layers.Dense(width)(x)
    for _ in range(hp.Int("depth", 1, 4, default=2)):
        x = _block(x, width, activation, dropout, norm)
    x = keras.layers.Activation(activation)(_normalised(x, norm))
    rate = hp.Float("lr", 1e-4, 1e-2, sampling="log", default=2e-3)
    decay = hp.Float("weight_decay", 1e-6, 1e-1, sampling="log", default=1e-2)
    optimizer = keras.optimizers.AdamW(learning_rate=rate, weight_decay=decay, clipnorm=1.0)
    return Recipe(
        model=problem.model(x, optimizer=optimizer),
        batch_size=hp.Choice("batch_size", [32, 64, 128, 256, 512], default=_batch(problem.rows)),
        epochs=60,
        patience=12,
        schedule="cosine",
    )


def _features(hp: HyperParameters, problem: Problem) -> Any:
    import keras

    numbers = hp.Choice("numbers", ["plain", "periodic"], default="periodic") if problem.schema.numeric else "plain"
    if numbers == "plain":
        return problem.encode(hp)
    from workbench.models.layers import PeriodicEmbedding

    with hp.conditional_scope("numbers", ["periodic"]):
        sigma = hp.Float("sigma", 0.01, 1.0, sampling="log", default=0.1)
    parts = [PeriodicEmbedding(frequencies=16, width=4, sigma=sigma)(problem.inputs["numeric"])]
    if problem.schema.categorical:
        width = hp.Int("embedding", 2, 32, default=8, sampling="log")
        parts.append(keras.layers.Flatten()(problem.embedded(width)))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _block(x: Any, width: int, activation: str, dropout: float, norm: str) -> Any:
    import keras

    inner = keras.layers.Activation(activation)(_normalised(x, norm))
    inner = keras.layers.Dropout(dropout)(inner)
    return keras.layers.Add()([x, keras.layers.Dense(width)(inner)])


def _normalised(x: Any, norm: str) -> Any:
    import keras

    if norm == "layer":
        return keras.layers.LayerNormalization()(x)
    return keras.layers.BatchNormalization()(x) if norm == "batch" else x


def _batch(rows: int) -> int:
    return 32 if rows < 2000 else 128 if rows < 10000 else 256
