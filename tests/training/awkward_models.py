# ruff: noqa: ARG001, ARG002 - signatures of Keras' and of factories
"""Keras factories whose models are unlike ours in one thing each, and two that are unlike them in many."""

from __future__ import annotations

import jax
import keras
import numpy as np
from keras import layers, ops

from workbench.models.recipe import Recipe

WIDTH = 8


def finished(problem, x, optimizer="adam", **options):
    """Return the compiled model from the problem's inputs to its head above ``x``."""
    model = keras.Model(problem.inputs, problem.head(x))
    model.compile(optimizer, loss=problem.loss, **options)
    return model


def dense(hp, problem):
    """Return a small hidden layer above all inputs."""
    return layers.Dense(WIDTH, "relu")(problem.encode(hp))


def sequence(hp, problem):
    """Return ``(rows, steps, 2)``: the encoded columns as a sequence."""
    return layers.Reshape((-1, 2))(layers.Dense(2 * WIDTH)(problem.encode(hp)))


# --- outputs ---------------------------------------------------------------------------------------------------------


def several_outputs(hp, problem):  # model
    x = dense(hp, problem)
    aside = layers.Dense(2, "softmax", name="aside")(x)
    watched = layers.Dense(1, name="watched")(x)
    model = keras.Model(problem.inputs, {"aside": aside, "prediction": problem.head(x), "watched": watched})
    model.compile(
        "adam",
        loss={"prediction": problem.loss, "aside": "categorical_crossentropy"},
        loss_weights={"prediction": 1.0, "aside": 0.3},
        metrics={"prediction": ["auc"]},
    )
    return model


def listed_outputs(hp, problem):  # model
    x = dense(hp, problem)
    model = keras.Model(problem.inputs, [layers.Dense(1, name="aside")(x), problem.head(x)])
    model.compile("adam", loss=["mse", problem.loss], loss_weights=[0.1, 1.0])
    return model


class Pair(keras.Model):
    """Predicts, and rebuilds what it was given."""

    def __init__(self, activation):
        super().__init__()
        self.hidden, self.out, self.again = layers.Dense(WIDTH, "tanh"), layers.Dense(1, activation), layers.Dense(1)

    def call(self, x):
        hidden = self.hidden(x)
        return self.out(hidden), self.again(hidden)


def outputs_of_a_class(hp, problem):  # model
    model = Pair(problem.activation)
    model.compile("adam", loss=[problem.loss, None])
    return model


# --- the step --------------------------------------------------------------------------------------------------------


def guide_step(model, state, data):
    """Return what the train_step of Keras' guide for JAX returns."""
    trainable, fixed, optimizer, metrics = state
    x, y = data

    def compute_loss(trainable, fixed):
        y_pred, fixed = model.stateless_call(trainable, fixed, x, training=True)
        return model.compute_loss(x, y, y_pred), (y_pred, fixed)

    (loss, (y_pred, fixed)), gradients = jax.value_and_grad(compute_loss, has_aux=True)(trainable, fixed)
    trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
    logs, new = {}, []
    for metric in model.metrics:
        mine = metrics[len(new) : len(new) + len(metric.variables)]
        told = (loss,) if metric.name == "loss" else (y, y_pred)
        mine = metric.stateless_update_state(mine, *told)
        logs[metric.name] = metric.stateless_result(mine)
        new += mine
    return logs, (trainable, fixed, optimizer, new)


class OwnStep(keras.Model):
    """Trains by a step of its own."""

    def train_step(self, state, data):
        return guide_step(self, state, data)


class OwnLogs(keras.Model):
    """Says something else than a loss."""

    def train_step(self, state, data):
        _, state = guide_step(self, state, data)
        return {"rows": ops.cast(ops.shape(data[1])[0], "float32")}, state


def own_train_step(hp, problem):  # model
    model = OwnStep(problem.inputs, problem.head(layers.Dropout(0.2)(dense(hp, problem))))
    model.compile("adam", loss=problem.loss)
    return model


def own_logs(hp, problem):  # model
    model = OwnLogs(problem.inputs, problem.head(dense(hp, problem)))
    model.compile("adam", loss=problem.loss)
    return model


class Looking(keras.Model):
    """Looks at its numbers in Python."""

    def train_step(self, state, data):
        logs, state = guide_step(self, state, data)
        if not np.isfinite(float(logs["loss"])):
            raise FloatingPointError
        return logs, state


def eager(hp, problem):  # model
    model = Looking(problem.inputs, problem.head(dense(hp, problem)))
    model.compile("adam", loss=problem.loss, run_eagerly=True)
    return model


class OwnLoss(keras.Model):
    """Has a loss of its own, and compiles without one."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y - y_pred)) + 0.01 * ops.mean(ops.abs(y_pred))


def own_loss(hp, problem):  # model
    model = OwnLoss(problem.inputs, problem.head(dense(hp, problem)))
    model.compile("adam")
    return model


class Told(keras.metrics.Metric):
    """The mean prediction."""

    def __init__(self, name="told", **options):
        super().__init__(name=name, **options)
        self.total = self.add_variable((), "zeros", name="total")
        self.rows = self.add_variable((), "zeros", dtype="int32", name="rows")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(y_pred))
        self.rows.assign_add(ops.shape(y_pred)[0])

    def result(self):
        return self.total / ops.cast(self.rows, "float32")


def metrics(hp, problem):  # model
    return finished(problem, dense(hp, problem), metrics=["auc", Told()])


def row_weights(hp, problem):  # model
    model = finished(problem, dense(hp, problem), weighted_metrics=["accuracy"])
    return Recipe(model=model, sample_weight=lambda y: 1.0 + y)


# --- optimizers ------------------------------------------------------------------------------------------------------


def rate_schedule(hp, problem):  # model
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 20, warmup_target=2e-2, warmup_steps=5)
    return finished(problem, dense(hp, problem), keras.optimizers.SGD(rate, momentum=0.9, nesterov=True))


def cosine_recipe(hp, problem):  # model
    optimizer = keras.optimizers.AdamW(1e-2, weight_decay=0.1, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return Recipe(model=finished(problem, dense(hp, problem), optimizer), schedule="cosine")


def averaged(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.8))


def averaged_over(hp, problem):  # model
    optimizer = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=7)
    return finished(problem, dense(hp, problem), optimizer)


def accumulated(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Adam(1e-2, gradient_accumulation_steps=3))


def scaled_loss(hp, problem):  # model
    inner = keras.optimizers.Adam(1e-2)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**10, dynamic_growth_steps=4)
    return finished(problem, dense(hp, problem), optimizer)


def lion(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Lion(1e-3))


def lamb(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Lamb(1e-2))


def muon(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Muon(1e-2))


def nadam(hp, problem):  # model
    return finished(problem, dense(hp, problem), keras.optimizers.Nadam(1e-2))


# --- layers ----------------------------------------------------------------------------------------------------------


def normalised(hp, problem):  # model
    x = layers.Dropout(0.3)(layers.BatchNormalization(momentum=0.8)(dense(hp, problem)))
    return finished(problem, layers.GroupNormalization(2)(layers.Dense(WIDTH)(x)))


def noisy(hp, problem):  # model
    x = layers.GaussianDropout(0.2)(layers.GaussianNoise(0.1)(dense(hp, problem)))
    return finished(problem, layers.AlphaDropout(0.1)(x))


class Penalised(layers.Layer):
    """Adds a loss of its own."""

    def call(self, x):
        self.add_loss(0.01 * ops.mean(ops.square(x)))
        return x


def regularised(hp, problem):  # model
    x = layers.Dense(WIDTH, "relu", kernel_regularizer="l2", activity_regularizer="l1")(problem.encode(hp))
    return finished(problem, Penalised()(x))


def constrained(hp, problem):  # model
    x = layers.SpectralNormalization(layers.Dense(WIDTH, "relu"))(problem.encode(hp))
    return finished(problem, layers.Dense(WIDTH, "relu", kernel_constraint=keras.constraints.UnitNorm())(x))


def recurrent(hp, problem):  # model
    x = layers.GRU(4, return_sequences=True, dropout=0.1)(sequence(hp, problem))
    return finished(problem, layers.Bidirectional(layers.LSTM(4, recurrent_dropout=0.1))(x))


def attention(hp, problem):  # model
    x = sequence(hp, problem)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x))
    return finished(problem, layers.GlobalAveragePooling1D()(x))


def convolved(hp, problem):  # model
    x = layers.Conv1D(4, 3, padding="same", activation="relu")(sequence(hp, problem))
    return finished(problem, layers.GlobalMaxPooling1D()(x))


def masked(hp, problem):  # model
    codes = layers.Concatenate()([problem.inputs["categorical"]] * 3)
    x = layers.LSTM(4)(layers.Embedding(16, 4, mask_zero=True)(codes))
    return finished(problem, layers.Concatenate()([x, problem.inputs["numeric"]]))


def frozen(hp, problem):  # model
    fixed = layers.Dense(WIDTH, "relu")
    normal = layers.BatchNormalization()
    x = normal(fixed(problem.encode(hp)))
    fixed.trainable = normal.trainable = False
    return finished(problem, layers.Dense(WIDTH, "relu")(x))


def shared(hp, problem):  # model
    layer = layers.Dense(WIDTH, "tanh")
    x = layers.Dense(WIDTH)(problem.encode(hp))
    return finished(problem, layer(layer(x)))


def function_layer(hp, problem):  # model
    x = layers.Lambda(lambda t: ops.concatenate([t, ops.sin(t)], axis=-1))(dense(hp, problem))
    return finished(problem, x * np.linspace(0.5, 1.5, 2 * WIDTH, dtype="float32"))


class Counting(layers.Layer):
    """Counts its calls in training, and does something else at every third."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False)
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1)
            x = x + 0.1 * keras.random.normal(ops.shape(x), seed=self.seeds)
        return ops.cond(self.calls % 3 == 0, lambda: x * 0.5, lambda: x)


def counting(hp, problem):  # model
    return finished(problem, Counting()(dense(hp, problem)))


def mixed(hp, problem):  # model
    x = problem.encode(hp)
    for _ in range(2):
        x = layers.Dense(WIDTH, "relu", dtype="mixed_bfloat16")(x)
    return finished(problem, x)


# --- classes ---------------------------------------------------------------------------------------------------------


class Gate(layers.Layer):
    """Draws its weights when it is first called: after the factory has returned."""

    def build(self, shape):
        self.gate = self.add_weight(shape=(shape[-1],), initializer="random_normal")
        # A bias below a batch normalisation has no gradient but rounding errors, which Adam would make steps of.
        self.inner = layers.Dense(WIDTH, use_bias=False)

    def call(self, x):
        return self.inner(x * ops.sigmoid(self.gate))


class Late(keras.Model):
    """Has no inputs until it is called."""

    def __init__(self, activation):
        super().__init__()
        self.blocks = [Gate(), layers.BatchNormalization(), layers.Dropout(0.2)]
        self.out = layers.Dense(1, activation)

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x, training=training) if isinstance(block, layers.BatchNormalization) else block(x)
        return self.out(x)


def of_a_class(hp, problem):  # model
    model = Late(problem.activation)
    model.compile("adam", problem.loss)
    return model


def unbuilt(hp, problem):  # model
    model = keras.Sequential([Gate(), layers.Dense(1, problem.activation)])
    model.compile("adam", problem.loss)
    return model


# --- many at once ----------------------------------------------------------------------------------------------------


def everything(hp, problem):  # model
    """Return what the models above are unlike in, in one: the quick tests' share of them."""
    again = layers.Dense(WIDTH, "tanh", kernel_regularizer="l2")
    fixed = layers.Dense(WIDTH, "relu")
    x = layers.GaussianNoise(0.1)(fixed(problem.encode(hp)))
    x = layers.Dropout(0.2)(layers.BatchNormalization(momentum=0.8)(again(again(x))))
    x = Counting()(Penalised()(layers.Lambda(lambda t: ops.sin(t))(x)))
    fixed.trainable = False
    aside = layers.Dense(2, "softmax", kernel_constraint=keras.constraints.UnitNorm(), name="aside")(x)
    model = keras.Model(problem.inputs, {"aside": aside, "prediction": problem.head(x)})
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 20)
    model.compile(
        keras.optimizers.AdamW(rate, gradient_accumulation_steps=3, clipnorm=1.0),
        loss={"aside": "categorical_crossentropy", "prediction": problem.loss},
        loss_weights={"aside": 0.3, "prediction": 1.0},
        metrics={"prediction": [Told()]},
    )
    return Recipe(model=model, sample_weight=lambda y: 1.0 + y)


class Everything(keras.Model):
    """A class without inputs, with a step of its own."""

    def __init__(self, activation):
        super().__init__()
        self.first = layers.SpectralNormalization(layers.Dense(2 * WIDTH))
        self.second = layers.GRU(4, dropout=0.1)
        self.gate, self.out = Gate(), layers.Dense(1, activation)

    def call(self, x, training=False):
        x = ops.reshape(self.first(x, training=training), (-1, WIDTH, 2))
        return self.out(self.gate(self.second(x, training=training)))

    def train_step(self, state, data):
        return guide_step(self, state, data)


def everything_of_a_class(hp, problem):  # model
    model = Everything(problem.activation)
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=7), problem.loss)
    return model
