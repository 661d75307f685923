"""Two models that err differently from trees: a small network with embeddings, and a smooth kernel model."""

import keras

from workbench import Recipe


def network(hp, problem):
    """A network for 891 rows: one narrow layer, and much dropout."""
    x = problem.encode(hp)
    x = keras.layers.Dropout(hp.Float("input_dropout", 0.0, 0.4, default=0.1))(x)
    for _ in range(hp.Int("layers", 1, 2, default=1)):
        x = keras.layers.Dense(hp.Int("units", 8, 64, default=32, sampling="log"), activation="relu")(x)
        x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6, default=0.4))(x)
    rate = hp.Float("lr", 1e-3, 2e-2, default=5e-3, sampling="log")
    decay = hp.Float("decay", 1e-4, 1e-1, default=1e-2, sampling="log")
    model = problem.model(x, optimizer=keras.optimizers.AdamW(rate, weight_decay=decay))
    return Recipe(model=model, batch_size=32, epochs=30, schedule="cosine")


def kernel(hp):
    """Logistic regression in the space of a Gaussian kernel: what a support vector machine does, with probabilities."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    width = hp.Float("gamma", 1e-3, 1.0, default=0.03, sampling="log")
    penalty = hp.Float("l2", 1e-2, 1e2, default=1.0, sampling="log")
    return make_pipeline(Nystroem(gamma=width, n_components=100), LogisticRegression(C=1 / penalty, max_iter=1000))
