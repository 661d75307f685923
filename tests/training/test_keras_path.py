"""Keras factories of a user's own, and what makes the Keras path quick."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.errors import FactoryError, TrialFailed
from workbench.models.hyperparameters import HyperParameters
from workbench.store.vault import Vault
from workbench.training.build import build
from workbench.training.bundle import load_predictor
from workbench.training.checkpoints import Checkpoints
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.training.watcher import Watcher
from workbench.types import Description, TrialResult

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


def test_all_splits_train_one_compiled_program(make_job) -> None:
    from workbench.training.keras_jax import JaxProgram
    from workbench.training.keras_path import KerasFitter

    # 151 rows in 3 splits: training parts of two sizes.
    job = make_job("binary", "mlp", rows=151)
    material = open_material(job)

    def rebuild(seed: int):
        return build(job.family, material.problem, HyperParameters(), seed)

    folds = [len(material.plan.train(i)) for i in range(3)]
    assert len(set(folds)) == 2
    fitter = KerasFitter(rebuild(0), material.problem, job.settings, folds, rebuild, Checkpoints(material))
    for split in material.splits(neural=True):
        watcher = Watcher(material.monitor, split.y[split.watch], None, patience=5, tell=lambda *_: False)
        fitter.fit(split, watcher)
    program = fitter._program
    assert isinstance(program, JaxProgram)
    assert program.compilations == 1


@pytest.mark.parametrize(("source", "by_step"), [(None, False), (CONVOLVED, True)])
def test_an_epoch_is_what_train_on_batch_does(make_job, own_factory, source, by_step) -> None:
    """The compiled loop changes nothing: the same batches through Keras' own step give the same weights.

    Models with convolutions have no loop on a CPU, where it would make them slow.
    """
    import keras

    from workbench.training.keras_feed import feed, take, targets
    from workbench.training.keras_jax import JaxProgram
    from workbench.training.keras_state import prepare, state_of

    job = make_job("binary", "mlp" if source is None else own_factory(source))
    material = open_material(job)
    split = next(material.splits(neural=True))
    values = {"dropout": 0.3} if source is None else {}
    model = build(job.family, material.problem, HyperParameters(values), 1).model
    table = (feed(model, split.prepared.table), targets(split.y, material.problem))
    order = np.random.default_rng(0).permutation(split.train)[:96].reshape(3, 32).astype(np.int32)
    prepare(model, take(table, order[0]))
    program = JaxProgram(model)
    program.start(state_of(model), table)
    loss = program.epoch(order, 3, 1.0)
    losses = [float(model.train_on_batch(*take(table, rows), return_dict=True)["loss"]) for rows in order]
    assert program._by_step is by_step
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, variable in zip(program.weights().trainable, model.trainable_variables, strict=True):
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
    from workbench.training.keras_jax import JaxProgram
    from workbench.training.keras_state import prepare, state_of

    source = CONSTANTS.format(option=", training=True", marked=" * 0 + (1.0 if training else 0.0)")
    model = build(own_factory(source), open_material(make_job()).problem, HyperParameters(), 0).model
    x = np.zeros((2, 4), dtype=np.float32)
    prepare(model, (x, np.zeros((2, 1), dtype=np.float32)))
    np.testing.assert_array_equal(JaxProgram(model).predict(state_of(model).weights, x), np.zeros((2, 1)))


def test_two_builds_of_different_shape_are_refused(make_job, own_factory) -> None:
    source = PLAIN.format(out=1, loss="mse").replace('hp.Int("units", 4, 16)', "__import__('random').randint(4, 99)")
    with pytest.raises(FactoryError, match="different shapes"):
        run(make_job("regression", own_factory(source), vault=None), silent)
