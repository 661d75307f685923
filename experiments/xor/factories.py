"""A model of one's own: a function that is told the problem, and asks ``hp`` for what is to be searched."""

import keras


def network(hp, problem):
    x = problem.encode(hp)
    units = hp.Int("units", 2, 32, default=8, sampling="log")
    activation = hp.Choice("activation", ["relu", "tanh"])
    for _ in range(hp.Int("layers", 0, 2, default=1)):
        x = keras.layers.Dense(units, activation=activation)(x)
    rate = hp.Float("lr", 1e-3, 1e-1, default=1e-2, sampling="log")
    return problem.model(x, optimizer=keras.optimizers.Adam(rate))
