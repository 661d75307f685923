"""Keras factories of a user's own, and what makes the Keras path quick."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.errors import FactoryError, TrialFailed
from workbench.models.hyperparameters import HyperParameters
from workbench.store.vault import Vault
from workbench.training.build import build
from workbench.training.bundle import load_predictor
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.types import Description, Job, TrialResult

pytestmark = pytest.mark.keras

PLAIN = """
import keras

def build(hp):
    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 4, 16), "relu"), keras.layers.Dense({out})])
    model.compile("adam", "{loss}")
    return model
"""


CONVOLVED = """
import keras

def build(hp):
    layers = [keras.layers.Reshape((-1, 1)), keras.layers.Conv1D(4, 2, padding="same"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model
"""


def silent(_: object) -> bool:
    return False


@pytest.fixture
def compilations(monkeypatch) -> list[str]:
    """The programs that were compiled since, by what the workbench knows them by."""
    from workbench.training import jax_programs

    jax_programs.forget()
    made: list[str] = []
    get = jax_programs._programs.get
    monkeypatch.setattr(
        jax_programs._programs, "get", lambda key, make: get(key, lambda: (made.append(key[0]), make())[1])
    )
    return made


def fused(job: Job, fuse: str) -> Job:
    return job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": fuse}), "vault": None})


@pytest.mark.parametrize("fuse", ["off", "map"])
def test_a_configuration_compiles_a_training_and_a_prediction(make_job, own_factory, compilations, fuse: str) -> None:
    """Splits of two sizes share them, and so do later trials of other rates, which are numbers in the traced text."""
    source = """
    import keras

    def build(hp):
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(hp.Float("dropout", 0.1, 0.9))]
        model = keras.Sequential([*layers, keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.AdamW(hp.Float("lr", 1e-4, 1e-1), hp.Float("decay", 1e-4, 0.5)), "bce")
        return model
    """
    job = fused(make_job("binary", own_factory(textwrap.dedent(source)), rows=151), fuse)
    plan = FoldPlan.open(job.plan)
    assert len({len(plan.train(i)) for i in range(3)}) == 2
    scores = set()
    for rate in (0.25, 0.5, 0.75):
        result = run(job.model_copy(update={"values": {"dropout": rate, "lr": rate / 10, "decay": rate / 2}}), silent)
        assert isinstance(result, TrialResult)
        assert (result.fused, bool(result.unfused)) == ("map" if fuse == "map" else "", fuse == "off")
        scores.add(result.score)
    assert len(compilations) == 2
    assert len(scores) == 3, "the rates reach the program"


@pytest.mark.parametrize(("source", "by_step"), [(None, False), (CONVOLVED, True)])
def test_an_epoch_is_what_train_on_batch_does(make_job, own_factory, source, by_step) -> None:
    """The compiled loop changes nothing: the same batches through Keras' own step give the same weights.

    Models with convolutions have no loop on a CPU, where it would make them slow.
    """
    import keras

    from workbench.training.jax_layout import Layout
    from workbench.training.jax_train_step import TrainStep
    from workbench.training.jax_trainer import JaxTrainer, slow_in_loops
    from workbench.training.keras_feed import feed, take
    from workbench.training.keras_program import Start
    from workbench.training.keras_state import prepare, state_of
    from workbench.training.keras_targets import targets

    job = make_job("binary", "mlp" if source is None else own_factory(source))
    material = open_material(job)
    split = next(material.splits(neural=True))
    values = {"dropout": 0.3} if source is None else {}
    model = build(job.family, material.problem, HyperParameters(values), 1).model
    table = (feed(model, split.prepared.table), targets(split.y, material.problem))
    order = np.random.default_rng(0).permutation(split.train)[:96].reshape(3, 32).astype(np.int32)
    prepare(model, take(table, order[0]))
    step = TrainStep(model, take(table, order[0]))
    assert slow_in_loops(step) is by_step
    trainer = JaxTrainer(model, step, Layout("map", 1), steps=3, watched=len(split.watch))
    trainer.begin([Start(state_of(model), table, take(table[0], split.watch))])
    (loss,) = trainer.epoch([order], 1.0, [True])
    losses = [float(model.train_on_batch(*take(table, rows), return_dict=True)["loss"]) for rows in order]
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, variable in zip(trainer.state(0).weights.trainable, model.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(variable.value), rtol=1e-4, atol=1e-6)


def test_a_plain_keras_tuner_factory_runs(make_job, own_factory) -> None:
    job = make_job("regression", own_factory(PLAIN.format(out=1, loss="mse")), values={"units": 8}, vault=None)
    result = run(job, silent)
    assert isinstance(result, TrialResult)
    assert result.values == {"units": 8}
    # a, b, the mark of a's gaps, kind; then 8 units and the output.
    assert result.weights == (4 + 1) * 8 + (8 + 1)


def test_describing_a_keras_factory(make_job) -> None:
    description = run(make_job("binary", "mlp", kind="describe"), silent)
    assert isinstance(description, Description)
    assert description.weights > 1000
    assert {"lr", "depth", "dropout"} <= {p.name for p in description.space.parameters}


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (PLAIN.format(out=5, loss="mse"), TrialFailed, r"output has shape \(\w+, 5\), expected \(None, 1\)"),
        (PLAIN.format(out=1, loss="mse").replace("    model.compile", "    0 #"), FactoryError, "is not compiled"),
        (PLAIN.format(out=1, loss="no_such_loss"), FactoryError, "no_such_loss"),
    ],
)
def test_a_bad_factory_is_known_from_describing(make_job, own_factory, source, error, message) -> None:
    with pytest.raises(error, match=message):
        run(make_job("regression", own_factory(source), kind="describe"), silent)


def test_a_loss_that_overflows_ends_the_trial_within_an_epoch(make_job, own_factory) -> None:
    source = PLAIN.format(out=1, loss="mse").replace('"adam"', "keras.optimizers.SGD(1e30)")
    reports: list[object] = []
    with pytest.raises(TrialFailed, match="not finite") as caught:
        run(make_job("regression", own_factory(source), vault=None), lambda r: bool(reports.append(r)))
    assert caught.value.code == "nonfinite"
    assert len(reports) <= 1


CONSTANTS = """
import keras
import numpy as np

class Rotated(keras.Model):
    def __init__(self):
        super().__init__()
        self.matrix = np.random.normal(size=(4, 4)).astype("float32")
        self.dense = keras.layers.Dense(1)

    def call(self, x{option}):
        return self.dense(keras.ops.matmul(x, self.matrix)){marked}

def build(hp):
    model = Rotated()
    model.compile("adam", "mse")
    return model
"""


def test_a_bundle_has_the_constants_of_its_training(make_job, own_factory) -> None:
    job = make_job("regression", own_factory(CONSTANTS.format(option="", marked="")))
    run(job.model_copy(update={"kind": "describe"}), silent)
    run(job, silent)
    vault, dataset = Vault(job.vault), Dataset.open(job.dataset)
    rows = FoldPlan.open(job.plan).validate(1)
    predictor = load_predictor(vault.folder(job.fit_key) / "split1")
    np.testing.assert_allclose(predictor.predict(dataset.features.iloc[rows]), vault.oof(job.fit_key)[1], rtol=1e-5)


def test_a_prediction_is_an_inference_whatever_the_call_defaults_to(make_job, own_factory) -> None:
    from workbench.training.keras_program import make_predictor
    from workbench.training.keras_state import prepare, state_of

    source = CONSTANTS.format(option=", training=True", marked=" * 0 + (1.0 if training else 0.0)")
    model = build(own_factory(source), open_material(make_job()).problem, HyperParameters(), 0).model
    x = np.zeros((2, 4), dtype=np.float32)
    prepare(model, (x, np.zeros((2, 1), dtype=np.float32)))
    np.testing.assert_array_equal(make_predictor(model).predict(state_of(model).weights, x), np.zeros((2, 1)))


def test_what_a_prediction_is_the_models_own_predict_step_says() -> None:
    import keras

    from workbench.training.keras_program import make_predictor
    from workbench.training.keras_state import state_of

    class Counts(keras.Sequential):
        def predict_step(self, state, data):
            outputs, fixed = super().predict_step(state, data)
            return keras.ops.exp(outputs), fixed

    model = Counts([keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x = np.ones((2, 1), dtype=np.float32)
    np.testing.assert_allclose(make_predictor(model).predict(state_of(model).weights, x), np.exp(x), rtol=1e-6)


def test_two_builds_of_different_shape_are_refused(make_job, own_factory) -> None:
    source = PLAIN.format(out=1, loss="mse").replace('hp.Int("units", 4, 16)', "__import__('random').randint(4, 99)")
    with pytest.raises(FactoryError, match="different shapes"):
        run(make_job("regression", own_factory(source), vault=None), silent)
