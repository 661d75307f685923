"""Models that err differently from trees: a small network with embeddings, smooth curves, and a kernel."""

import keras

from workbench import Recipe


def network(hp, problem):
    """A straight line with a small network beside it, which learns what the line cannot say."""
    x = problem.encode(hp)
    hidden = keras.layers.Dropout(hp.Float("input_dropout", 0.0, 0.3, default=0.05))(x)
    for _ in range(hp.Int("layers", 1, 3, default=2)):
        hidden = keras.layers.Dense(hp.Int("units", 16, 128, default=64, sampling="log"), activation="gelu")(hidden)
        hidden = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, default=0.2))(hidden)
    rate = hp.Float("lr", 5e-4, 1e-2, default=3e-3, sampling="log")
    decay = hp.Float("decay", 1e-4, 1e-1, default=1e-2, sampling="log")
    optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    model = problem.model(keras.layers.Concatenate()([x, hidden]), optimizer=optimizer)
    return Recipe(model=model, batch_size=32, epochs=40, schedule="cosine")


def curves(hp):
    """A sum of smooth curves, one for each number: ridge regression on splines (Eilers and Marx, 1996)."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    knots = hp.Int("knots", 3, 8, default=4)
    penalty = hp.Float("l2", 1e-1, 1e2, default=5.0, sampling="log")
    # Beyond the outer knots a curve goes on as a constant: the largest houses must not be extrapolated.
    return make_pipeline(SplineTransformer(knots, extrapolation="constant"), Ridge(alpha=penalty))


def kernel(hp, problem):
    """Support vector regression with a Gaussian kernel: houses are priced by those that are like them."""
    from sklearn.svm import SVR

    width = hp.Float("gamma", 0.01, 1.0, default=0.1, sampling="log") / problem.width
    return SVR(
        gamma=width,
        C=hp.Float("C", 1.0, 100.0, default=10.0, sampling="log"),
        epsilon=hp.Float("epsilon", 0.005, 0.1, default=0.03, sampling="log"),
    )
