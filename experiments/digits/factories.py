"""A convolutional network: it is told that the 64 numbers of a row are a picture of 8 by 8, which no table says."""

import keras

from workbench import Recipe

SIDE = 8
INK = 16.0  # a pixel counts the dots of ink in a block of 4 by 4


def cnn(hp, problem):
    numbers = problem.inputs["numeric"]
    if numbers.shape[1] != SIDE * SIDE:
        raise ValueError(f"expected the {SIDE * SIDE} pixels as numeric columns, got {numbers.shape[1]}")
    x = keras.layers.Reshape((SIDE, SIDE, 1))(numbers)
    x = augmented(hp, keras.layers.Rescaling(1 / INK)(x))
    filters = hp.Int("filters", 8, 32, step=8, default=16)
    for block in range(hp.Int("blocks", 1, 2, default=2)):
        x = convolved(hp, x, filters * 2**block)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6, default=0.3))(keras.layers.Flatten()(x))
    rate = hp.Float("lr", 1e-3, 3e-2, default=1e-2, sampling="log")
    model = problem.model(x, optimizer=keras.optimizers.AdamW(rate))
    return Recipe(model=model, batch_size=32, epochs=30, patience=10, schedule="cosine")


def augmented(hp, x):
    """Shift and turn the pictures a little, anew in each epoch; in prediction these layers do nothing."""
    shift = hp.Float("shift", 0.0, 0.15, default=0.05)  # share of the side: 0.125 is one pixel
    turn = hp.Float("turn", 0.0, 0.08, default=0.03)  # share of a full turn
    x = keras.layers.RandomTranslation(shift, shift, fill_mode="constant")(x)
    return keras.layers.RandomRotation(turn, fill_mode="constant")(x)


def convolved(hp, x, filters):
    """Two convolutions of 3 by 3, normalised."""
    for _ in range(hp.Int("depth", 1, 2, default=2)):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.9)(x))
    return x
