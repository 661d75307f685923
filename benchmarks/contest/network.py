"""The network of the contest and what is searched of it: a user's ``factories.py``, and what the peers build.

This file is copied into an experiment, so it imports nothing of the benchmarks.
"""

from typing import Any

import keras

from workbench.models.rates import rates


def declared(hp: Any) -> dict[str, Any]:
    """Return the hyperparameters of a trial; ``hp`` is KerasTuner's or ours."""
    return {
        "lr": hp.Float("lr", 1e-4, 1e-2, sampling="log", default=1e-3),
        "dropout": hp.Float("dropout", 0.0, 0.5, default=0.1),
        "width": hp.Choice("width", [64, 128, 256], default=128),
    }


def suggested(trial: Any) -> dict[str, Any]:
    """Return the same of a trial of Optuna's."""
    return {
        "lr": trial.suggest_float("lr", 1e-4, 1e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "width": trial.suggest_categorical("width", [64, 128, 256]),
    }


def network(inputs: Any, x: Any, lr: float, dropout: float, width: int, layer: Any = keras.layers.Dropout) -> Any:
    """Return two hidden layers above ``x`` ``(rows, features)`` of ``inputs``, compiled for two classes."""
    for _ in range(2):
        x = layer(dropout)(keras.layers.Dense(width, "relu")(x))
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(x))
    model.compile(optimizer=keras.optimizers.Adam(lr), loss="binary_crossentropy")
    return model


def plain(features: int, values: dict[str, Any]) -> Any:
    """Return the network on a plain matrix."""
    inputs = keras.Input((features,))
    return network(inputs, inputs, **values)


def stock(hp: Any, problem: Any) -> Any:
    """Be a factory with Keras' own Dropout, whose rate is a constant of the traced program."""
    return network(problem.inputs, problem.inputs["numeric"], **declared(hp))


@rates(lr="learning_rate", dropout="rate")
def held(hp: Any, problem: Any) -> Any:
    """Be a factory with our Dropout, whose rate is a variable, as the optimizer's learning rate is."""
    from workbench.models.dropout import Dropout

    return network(problem.inputs, problem.inputs["numeric"], **declared(hp), layer=Dropout)
