"""A dtype policy, from the factory's call to predictions in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.errors import TrialStopped
from workbench.models.hyperparameters import HyperParameters
from workbench.store.vault import Vault
from workbench.training.build import build
from workbench.training.bundle import load_predictor
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.types import Job, Reported, TrainingSettings, TrialResult

pytestmark = pytest.mark.keras

LAZY = """
def build(hp):
    import keras

    from workbench import Recipe

    class Block(keras.layers.Layer):
        def build(self, shape):
            self.inner = keras.layers.Dense(8, "relu")
            self.norm = keras.layers.BatchNormalization()
            self.inner.build(shape)
            self.norm.build((*shape[:-1], 8))

        def call(self, x, training=False):
            inner = self.inner(x)
            assert inner.dtype == self.compute_dtype, "a layer that is made late has the factory's policy"
            return self.norm(inner, training=training)

        def compute_output_shape(self, shape):
            return (*shape[:-1], 8)

    model = keras.Sequential([Block(), keras.layers.Dropout(0.1), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    return Recipe(model=model, batch_size=32, epochs=4, schedule="cosine")
"""
ELSEWHERE = """
import sys
from pathlib import Path

import numpy as np

from workbench.data.dataset import Dataset
from workbench.training.bundle import load_predictor

predictor = load_predictor(Path(sys.argv[1]))
assert "keras" in sys.modules
np.save(sys.argv[3], predictor.predict(Dataset.open(Path(sys.argv[2])).test))
"""


def under(job: Job, policy: str) -> Job:
    """Return a job whose models are built under a policy."""
    return job.model_copy(update={"settings": job.settings.model_copy(update={"dtype_policy": policy, "fuse": "map"})})


def fitted(job: Job) -> TrialResult:
    """Fit, and leave Keras as it was."""
    import keras

    result = run(job, lambda _: False)
    assert isinstance(result, TrialResult)
    assert np.isfinite(result.scores).all()
    assert keras.config.dtype_policy().name == "float32"
    return result


def test_a_policy_is_a_bundle_s_too(make_job, own_factory, tmp_path: Path) -> None:
    """The trial, its bundle, and a process that has never heard of the policy compute the same numbers."""
    job = under(make_job("binary", own_factory(LAZY), splits=2), "mixed_float16")
    fitted(job)
    bundle = Vault(job.vault).folder(job.fit_key) / "split0"
    test = Dataset.open(job.dataset).test
    assert test is not None
    here = load_predictor(bundle).predict(test)
    command = [sys.executable, "-c", ELSEWHERE, str(bundle), str(job.dataset), str(tmp_path / "there.npy")]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "jax"})
    np.testing.assert_array_equal(np.load(tmp_path / "there.npy"), here)

    about = json.loads((bundle / "bundle.json").read_text())
    assert about.pop("dtype_policy") == "mixed_float16"
    (bundle / "bundle.json").write_text(json.dumps(about))
    older = load_predictor(bundle).predict(test)
    assert 0 < np.abs(older - here).max() < 0.02, "a bundle that says nothing is of float32"


def test_half_precision_scales_its_losses(make_job, own_factory, tmp_path: Path) -> None:
    """Keras wraps the optimizer then; its rate follows the schedule, and its scale survives a checkpoint."""
    job = under(make_job("binary", own_factory(LAZY), splits=2, checkpoint_s=0.0), "mixed_float16")
    whole = fitted(job.model_copy(update={"vault": tmp_path / "whole"}))
    losses: list[float | None] = []

    def third(told: Reported) -> bool:
        losses.append(told.loss)
        return told.epoch == 3

    with pytest.raises(TrialStopped):
        run(job, third)
    assert losses
    assert all(loss is not None and 0 < loss < 2 for loss in losses)
    assert fitted(job).scores == whole.scores


def test_the_rate_of_a_wrapped_optimizer_is_found() -> None:
    import keras

    from workbench.training.keras_state import learning_rate_index

    wrapped = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.25))
    wrapped.build([keras.Variable(np.zeros(2))])
    index = learning_rate_index(wrapped)
    assert index is not None
    assert float(wrapped.variables[index]) == 0.25


@pytest.mark.parametrize("family", ["mlp", "wide_and_deep"])
def test_built_ins_compute_logits_and_angles_in_float32(make_job, family: str) -> None:
    material = open_material(make_job("binary", family))
    values = {"numbers": "periodic"} if family == "mlp" else {}
    hp = HyperParameters(values)
    model = build(material.job.family, material.problem, hp, 0, "mixed_float16").model
    layers = model._flatten_layers(include_self=False)
    exact = {type(layer).__name__ for layer in layers if layer.compute_dtype == "float32"}
    logits = {"MembersHead", "PeriodicEmbedding"} if family == "mlp" else {"Add", "Dense", "Embedding"}
    assert exact >= {*logits, "Activation"}
    assert {layer.compute_dtype for layer in layers if type(layer).__name__ == "Dropout"} == {"float16"}
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dropping_everything_gives_finite_gradients(dtype: str) -> None:
    import jax

    from workbench.models.dropout import Dropout

    layer = Dropout(1.0, dtype=dtype)
    state = [variable.value for variable in layer.non_trainable_variables]
    gradient = jax.grad(lambda x: layer.stateless_call([], state, x, training=True)[0].sum())(np.ones(8, dtype="f2"))
    assert not np.asarray(gradient).any()


def test_policies_are_fits_of_their_own() -> None:
    policies = ("float32", "mixed_bfloat16", "mixed_float16")
    assert len({json.dumps(TrainingSettings(dtype_policy=policy).identity) for policy in policies}) == 3
