"""What cannot be a program trains by Keras' own ``fit``: on the same batches, with the same results."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.errors import FactoryError, TrialStopped
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.runner import run
from workbench.types import Description, Job, Reported, TrialResult

pytestmark = pytest.mark.keras

SOURCE = """
import jax
import keras
import numpy as np
from keras import layers, ops
from workbench.models.recipe import Recipe

class InPython(keras.Model):
    def train_step(self, *given):
        logs, state = super().train_step(*given)
        if float(logs["loss"]) < 0:
            raise AssertionError
        return logs, state

class Drawing(keras.Model):
    def train_step(self, state, data):
        x, y, weight = data
        return super().train_step(state, (x, y, weight * np.random.uniform(0.5, 1.5)))

class OwnFunction(keras.Model):
    def make_train_function(self, force=False):
        super().make_train_function(force)

class Shown(layers.Layer):
    def call(self, x):
        jax.debug.callback(lambda mean: None, ops.mean(x))
        return x

class Branching(layers.Layer):
    def call(self, x, training=False):
        if training and ops.mean(x) > 0:
            return x
        return 2 * x

LAYERS = {"callback": Shown, "branching": Branching}
KINDS = {"eager": InPython, "untraced": InPython, "function": OwnFunction, "drawing": Drawing}

def build(hp, problem):
    way = hp.Choice("way", ["program", *LAYERS, *KINDS])
    # Small: each operation of each shape is a program of its own where nothing is traced.
    inputs = problem.inputs["numeric"]
    x = layers.Dropout(0.2)(inputs)
    x = LAYERS[way]()(x) if way in LAYERS else x
    model = KINDS.get(way, keras.Model)(inputs, problem.head(x))
    optimizer = keras.optimizers.SGD(3e-2, momentum=0.9, use_ema=True, ema_momentum=0.8)
    model.compile(optimizer, loss=problem.loss, run_eagerly=way in ("eager", "drawing"))
    return Recipe(model=model, schedule="cosine", sample_weight=lambda y: 1.0 + y)
"""


@pytest.fixture
def job_of(make_job, own_factory):
    """Return a function that gives a job of the factory in one of its ways."""

    def made(way: str, **settings) -> Job:
        job = make_job("binary", own_factory(SOURCE), rows=62, splits=2, values={"way": way}, fit_key=f"{way:_<16}")
        settings = {"fuse": "map", "batch_size": 10, "epochs": 3, "patience": 2, **settings}
        return job.model_copy(update={"settings": job.settings.model_copy(update=settings)})

    return made


def fitted(job: Job) -> tuple[TrialResult, np.ndarray, dict[tuple[int, int], list[float]]]:
    """Return the result of a fit, its out-of-fold predictions, and value and loss of each split's epochs."""
    told: dict[tuple[int, int], list[float]] = {}

    def report(seen: Reported) -> bool:
        told[seen.split, seen.epoch] = [seen.value, seen.loss]
        return False

    result = run(job, report)
    assert isinstance(result, TrialResult)
    return result, Vault(job.vault).oof(job.fit_key), told


def test_what_cannot_be_a_program_is_trained_as_it_would_be(job_of, caplog) -> None:
    program, expected, curves = fitted(job_of("program"))
    assert (program.fused, program.unfused) == ("map", "")
    reasons = {
        "eager": "the model is compiled with run_eagerly=True: Keras' fit trains it, in Python",
        "function": "the model has a train_function of its own: Keras' fit trains it",
        "callback": "its training step calls Python (debug_callback): Keras' fit trains it",
    }
    for way, reason in reasons.items():
        with caplog.at_level(logging.INFO, "workbench"):
            result, oof, told = fitted(job_of(way))
        assert (result.fused, result.unfused) == ("", reason)
        assert caplog.messages == [f"own: splits train one after another: {reason}"]
        caplog.clear()
        assert (result.best_epochs, result.epochs, result.weights) == (
            program.best_epochs,
            program.epochs,
            program.weights,
        )
        np.testing.assert_allclose(oof, expected, rtol=0, atol=1e-5)
        assert told.keys() == curves.keys()
        np.testing.assert_allclose([*told.values()], [curves[key] for key in told], rtol=1e-5)


def test_what_fit_trains_goes_on_from_where_it_stopped(job_of) -> None:
    job, other = job_of("drawing"), job_of("drawing").model_copy(update={"fit_key": "e" * 16, "checkpoint_s": 0.0})
    with pytest.raises(TrialStopped):
        run(other, lambda seen: (seen.split, seen.epoch) == (1, 2))
    assert (other.vault / "checkpoints" / other.fit_key / "epoch1.npz").exists()
    result, oof, told = fitted(other)
    expected, expected_oof, curves = fitted(job)
    assert (result.scores, result.best_epochs) == (expected.scores, expected.best_epochs)
    np.testing.assert_array_equal(oof, expected_oof)
    assert told == curves


def test_a_bundle_of_what_runs_in_python_predicts(job_of) -> None:
    job = job_of("eager", epochs=1)
    _, oof, _ = fitted(job)
    rows = FoldPlan.open(job.plan).validate(1)
    predictor = load_predictor(Vault(job.vault).folder(job.fit_key) / "split1")
    np.testing.assert_allclose(predictor.predict(Dataset.open(job.dataset).features.iloc[rows]), oof[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("way", "error", "line"),
    [
        ("untraced", "ConcretizationTypeError", r"float\("),
        ("branching", "TracerBoolConversionError", "if training and"),
    ],
)
def test_what_neither_a_program_nor_fit_can_train_is_told_with_what_to_do(
    job_of, make_job, own_factory, way, error, line
) -> None:
    said = rf"(?s){error}.*factories.py.*{line}.*run_eagerly=True"
    with pytest.raises(FactoryError, match=said):
        fitted(job_of(way))
    with pytest.raises(FactoryError, match=said):
        described(make_job, own_factory, way)


def test_a_description_says_what_fit_will_train(make_job, own_factory) -> None:
    found = described(make_job, own_factory, "eager")
    assert "run_eagerly=True: Keras' fit trains it" in found.notices[0]


def described(make_job, own_factory, way: str) -> Description:
    """Describe the factory where this way is the default."""
    source = SOURCE.replace('["program", *LAYERS, *KINDS]', f'["{way}"]')
    found = run(make_job("binary", own_factory(source), rows=62, kind="describe"), lambda _: False)
    assert isinstance(found, Description)
    return found
