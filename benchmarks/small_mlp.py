"""The factory of the search benchmark: a small network of varying shape, with few epochs."""

import keras

from workbench.models.hyperparameters import HyperParameters
from workbench.models.problem import Problem


def build(hp: HyperParameters, problem: Problem) -> keras.Model:
    """Return one to three dense layers of 8 to 64 units."""
    x = problem.encode(hp)
    for layer in range(hp.Int("depth", 1, 3, default=2)):
        x = keras.layers.Dense(hp.Int(f"width_{layer}", 8, 64, step=8, default=32), "relu")(x)
    return problem.model(x, optimizer=keras.optimizers.Adam(hp.Float("lr", 1e-3, 1e-2, sampling="log")))
