"""Wide and deep (Cheng et al., "Wide & deep learning for recommender systems", 2016).

The wide part remembers: a weight for each category and for each pair of categories of two columns. The deep part
generalises: dense layers over embeddings and numbers. Their outputs are added and trained together. Unlike the paper's,
both have one optimizer, and the weights of the wide part are rows of an embedding table as wide as the output, which is
the same product without the one-hot columns.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.models.family import Family
from workbench.models.rates import rates
from workbench.models.recipe import Recipe

if TYPE_CHECKING:
    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem

FAMILY = Family(build="workbench.models.wide_and_deep:build", preparation="scaled", version=2, neural=True)

MOST_CROSSED = 20_000
"""Pairs of categories, of all pairs of columns together: the columns with the fewest categories are crossed first."""


@rates(lr="learning_rate", weight_decay="weight_decay", dropout="rate")
def build(hp: HyperParameters, problem: Problem) -> Recipe:
    """Return a compiled model and how it is trained."""
    import keras

    from workbench.models.optimizers import AdamW

    logits = keras.layers.Add(dtype="float32")([*_wide(hp, problem), _deep(hp, problem)])
    outputs = keras.layers.Activation(problem.activation, dtype="float32", name="prediction")(logits)
    model = keras.Model(problem.inputs, outputs)
    rate = hp.Float("lr", 3e-4, 2e-2, sampling="log", default=2e-3)
    decay = hp.Float("weight_decay", 1e-5, 1.0, sampling="log", default=1e-2)
    model.compile(optimizer=AdamW(learning_rate=rate, weight_decay=decay, clipnorm=1.0), loss=problem.loss)
    batch = hp.Choice("batch_size", [32, 64, 128, 256, 512], default=_batch(problem.rows))
    return Recipe(model=model, batch_size=batch, epochs=40, patience=8, schedule="cosine")


def _wide(hp: HyperParameters, problem: Problem) -> list[Any]:
    """Return tensors ``(rows, outputs)``: linear in the numbers, a weight for each category and each pair of them.

    They are float32 under any dtype policy, as all logits are: 8 bits are not enough to rank rows by.
    """
    import keras

    parts = []
    if problem.schema.numeric:
        linear = keras.layers.Dense(problem.outputs, use_bias=False, dtype="float32")
        parts.append(linear(problem.inputs["numeric"]))
    if problem.schema.categorical:
        parts.append(_weights(problem.inputs["categorical"], problem.schema.sizes, problem.outputs))
    pairs = crossed(problem.schema.sizes)
    if pairs and hp.Boolean("crosses", default=True):
        parts.append(_crosses(problem, pairs))
    return parts


def _crosses(problem: Problem, pairs: list[tuple[int, int]]) -> Any:
    import keras

    sizes = np.asarray(problem.schema.sizes, dtype=np.int32)
    left, right = (np.asarray(side, dtype=np.int32) for side in zip(*pairs, strict=True))
    codes = problem.inputs["categorical"]
    both = keras.ops.take(codes, left, axis=1) * sizes[right][None, :] + keras.ops.take(codes, right, axis=1)
    return _weights(both, tuple(int(size) for size in sizes[left] * sizes[right]), problem.outputs)


def _weights(codes: Any, sizes: tuple[int, ...], outputs: int) -> Any:
    """Return the sum of a weight for each code ``(rows, outputs)``; all weights lie in one table and start at 0."""
    import keras

    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    table = keras.layers.Embedding(int(sum(sizes)), outputs, embeddings_initializer="zeros", dtype="float32")
    return keras.ops.sum(table(keras.ops.add(codes, offsets[None, :])), axis=1)


def _deep(hp: HyperParameters, problem: Problem) -> Any:
    import keras

    from workbench.models.dropout import Dropout

    x = problem.encode(hp)
    width = hp.Int("width", 32, 512, sampling="log", default=128)
    dropout = hp.Float("dropout", 0.0, 0.5, default=0.1)
    for _ in range(hp.Int("depth", 1, 4, default=2)):
        x = Dropout(dropout)(keras.layers.Dense(width, "relu")(x))
    return keras.layers.Dense(problem.outputs, dtype="float32", name="logits")(x)


def crossed(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the pairs of columns that are crossed, those of the fewest categories first."""
    pairs = sorted(combinations(range(len(sizes)), 2), key=lambda pair: sizes[pair[0]] * sizes[pair[1]])
    total = np.cumsum([sizes[left] * sizes[right] for left, right in pairs])
    return [pair for pair, sum_ in zip(pairs, total, strict=True) if sum_ <= MOST_CROSSED]


def _batch(rows: int) -> int:
    return 32 if rows < 2000 else 128 if rows < 10_000 else 256
