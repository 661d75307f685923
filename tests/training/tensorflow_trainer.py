"""What `test_keras_tensorflow.py` runs in a process of its own, with Keras on TensorFlow; prints ``agreed``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from workbench.errors import FactoryError
from workbench.training.keras_fit import FitTrainer, traced
from workbench.training.keras_in_place import InPlacePredictor, InPlaceTrainer
from workbench.training.keras_program import Start
from workbench.training.keras_state import Weights, assign, prepare, state_of
from workbench.training.keras_tensorflow import TensorFlowTrainer

ROWS, BATCH = 90, 8
rng = np.random.default_rng(7)
X = {
    "numeric": rng.normal(size=(ROWS, 5)).astype("float32"),
    "categorical": rng.integers(0, 4, size=(ROWS, 2)).astype("int32"),
}
Y = {"main": (X["numeric"][:, :1] > 0).astype("float32"), "other": X["numeric"][:, 1:2] * 2}
PLAIN = {"numeric": X["numeric"]}, Y["other"]
WEIGHT = {"main": rng.uniform(0.5, 2, ROWS).astype("float32"), "other": np.ones(ROWS, "float32")}


class Taped(keras.Model):
    """A model with a ``train_step`` of its own, as Keras' guide for TensorFlow writes it."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, weight = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=predicted, sample_weight=weight)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.trainable_variables), 0.5)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self._loss_tracker.update_state(loss)
        return self.compute_metrics(x, y, predicted, weight)


def awkward(seed: int, kind: type[keras.Model]) -> keras.Model:
    """Two inputs, two outputs, batch normalisation, dropout, an embedding, metrics; built under a seed."""
    keras.utils.set_random_seed(seed)
    numeric, codes = keras.Input((5,), name="numeric"), keras.Input((2,), name="categorical", dtype="int32")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(4, 3)(codes))
    x = keras.layers.Dense(8, "relu")(keras.layers.Concatenate()([numeric, embedded]))
    x = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(x))
    main, other = keras.layers.Dense(1, "sigmoid", name="main")(x), keras.layers.Dense(1, name="other")(x)
    model = kind({"numeric": numeric, "categorical": codes}, {"main": main, "other": other})
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-2, use_ema=True),
        loss={"main": "binary_crossentropy", "other": "mse"},
        metrics={"main": ["accuracy"]},
    )
    prepare(model, take((X, Y, WEIGHT), np.arange(BATCH)))
    return model


def plain(kind: type[keras.Model] = keras.Model, **compiling: Any) -> keras.Model:
    """One layer."""
    keras.utils.set_random_seed(0)
    numeric = keras.Input((5,), name="numeric")
    model = kind({"numeric": numeric}, keras.layers.Dense(1, dtype="float32")(keras.layers.Dense(4)(numeric)))
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse", **compiling)
    prepare(model, take(PLAIN, np.arange(BATCH)))
    return model


def take(tree: Any, rows: Any) -> Any:
    """Return some rows of a tree of arrays."""
    return keras.tree.map_structure(lambda array: array[rows], tree)


def order(seed: int, steps: int) -> Any:
    """Return row numbers ``(steps, batch)``."""
    return np.random.default_rng(seed).permutation(ROWS)[: steps * BATCH].reshape(steps, BATCH).astype("int32")


def begin(trainer: InPlaceTrainer, model: keras.Model, table: Any = (X, Y, WEIGHT)) -> None:
    """Begin a split with the numbers of a freshly built model."""
    trainer.begin([Start(state=state_of(model), table=table, watched=take(table[0], slice(70)))])


def close(left: Any, right: Any) -> None:
    """Check that two lists of arrays agree."""
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def averaged(model: keras.Model) -> Weights:
    """Return what a fit ends with: the optimizer's averages in the place of the weights."""
    averages = model.optimizer._model_variables_moving_average
    return Weights([each.numpy() for each in averages], state_of(model).weights.non_trainable)


def splits_train_as_batch_by_batch(kind: type[keras.Model]) -> None:
    """Two splits of other lengths train in one model and one trace, as two models do with ``train_on_batch``."""
    model = awkward(0, kind)
    trainer, predictor = TensorFlowTrainer(model), InPlacePredictor(model)
    for seed, steps in ((1, 6), (2, 7)):
        reference = awkward(seed, kind)
        begin(trainer, reference)
        for epoch, rate in enumerate((1.0, 0.5)):
            reference.optimizer.learning_rate = 1e-2 * rate
            losses = [
                reference.train_on_batch(*take((X, Y, WEIGHT), rows), return_dict=True)["loss"]
                for rows in order(epoch, steps)
            ]
            (loss,) = trainer.epoch([order(epoch, steps)], rate, [True])
            np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)
            if not epoch:
                trainer.keep([True])
                kept = averaged(reference)
        reference.optimizer.learning_rate = 1e-2
        state, expected = trainer.state(0), state_of(reference)
        close(state.weights.arrays, expected.weights.arrays)
        close(state.optimizer, expected.optimizer)
        close(trainer.best(0).arrays, kept.arrays)
        (watched,) = trainer.watched()
        assign(reference.trainable_variables, averaged(reference).trainable)
        truth = reference(take(X, slice(70)), training=False)
        close([watched], [truth["main"]])
    predicted_beside(predictor, trainer, kept)
    assert trainer.traces == 1, trainer.traces
    assert trainer.epoch([order(9, 7)], 1.0, [False]) == [None]
    close(trainer.state(0).weights.arrays, expected.weights.arrays)


def predicted_beside(predictor: InPlacePredictor, trainer: TensorFlowTrainer, weights: Any) -> None:
    """Any number of rows is predicted under any weights, and what is being trained stays."""
    before = trainer.state(0).weights.arrays
    full = predictor.predict(weights, X)
    assert full.shape == (ROWS, 1)
    for rows in (0, 1, 65):
        np.testing.assert_allclose(predictor.predict(weights, take(X, slice(rows))), full[:rows], atol=1e-6)
    assert np.abs(full[:70] - trainer.watched()[0]).max() > 1e-4
    for one, other in zip(before, trainer.state(0).weights.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def half_precision_has_its_learning_rate() -> None:
    """Keras wraps the optimizer there, and what is scaled is the wrapped one's rate."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = plain()
    finally:
        keras.config.set_dtype_policy("float32")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    trainer = TensorFlowTrainer(model)
    begin(trainer, model, PLAIN)
    first = trainer.state(0)
    registered = set(ops.gradient_registry.list())
    (loss,) = trainer.epoch([order(0, 3)], 0.25, [True])
    assert set(ops.gradient_registry.list()) <= registered, "TensorFlow's registry keeps the graph of the epoch"
    assert loss is not None
    assert np.isfinite(loss)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.25e-2, rtol=1e-6)
    state = trainer.state(0)
    assert sum(np.allclose(value, 1e-2) for value in state.optimizer if value.shape == ()) == 1
    assert np.abs(state.weights.trainable[1] - first.weights.trainable[1]).max() > 0


class Branching(keras.Model):
    """A ``train_step`` in Python that asks for a tensor's value."""

    def train_step(self, data: Any) -> dict[str, Any]:
        logs = super().train_step(data)
        return {"steps": 1} if logs["loss"] > 0 else {}


def python_in_a_step_is_told_or_run() -> None:
    """A ``train_step`` that is no graph is an error that says so, and trains where the model was compiled eagerly."""
    model = plain(Branching)
    trainer = TensorFlowTrainer(model)
    begin(trainer, model, PLAIN)
    with pytest.raises(FactoryError, match=r"(?s)train_step.*if logs\[\"loss\"\] > 0.*run_eagerly=True"):
        trainer.epoch([order(0, 2)], 1.0, [True])
    eager, reference = plain(Branching, run_eagerly=True), plain()
    step, reason = traced(eager, take(PLAIN, np.arange(BATCH)))
    assert step is None
    assert "run_eagerly=True" in reason
    by_fit = FitTrainer(eager)
    begin(by_fit, eager, PLAIN)
    assert by_fit.epoch([order(0, 2)], 1.0, [True]) == [None]
    for rows in order(0, 2):
        reference.train_on_batch(*take(PLAIN, rows))
    close(by_fit.state(0).weights.arrays, state_of(reference).weights.arrays)
    trainer.end()
    by_fit.end()


if __name__ == "__main__":
    splits_train_as_batch_by_batch(keras.Model)
    splits_train_as_batch_by_batch(Taped)
    half_precision_has_its_learning_rate()
    python_in_a_step_is_told_or_run()
    print("agreed")
