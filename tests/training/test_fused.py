"""Splits that train together are trained as they would be one after another, and as Keras' own step trains them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from workbench.models.hyperparameters import HyperParameters
from workbench.models.identity import code_identity
from workbench.seeds import derive_seed
from workbench.training.build import Built, build
from workbench.training.checkpoints import Checkpoints
from workbench.training.material import Material, Split, open_material
from workbench.training.watcher import Watcher
from workbench.types import FamilyRef, Job

if TYPE_CHECKING:
    from workbench.training.keras_path import KerasFitter
    from workbench.training.keras_state import State

pytestmark = pytest.mark.keras

EPOCHS, BATCH, SPLITS = 4, 20, 3
Arrays = list[list[np.ndarray[Any, Any]]]
"""Of each split."""
HERE = Path(__file__).parent
BUILT_IN = {
    "mlp": {"width": 32, "depth": 2, "dropout": 0.3, "members": 4, "numbers": "periodic", "frequencies": 8},
    "mlp of one member": {"width": 32, "norm": "layer", "activation": "gelu", "members": 1, "numbers": "plain"},
    "wide_and_deep": {},
}
UNFUSED = {"convolved": "slow within a loop on a CPU", "eager": "run_eagerly"}
AWKWARD = re.findall(r"^def (\w+)\(hp, problem\):  # model$", (HERE / "awkward_models.py").read_text(), re.MULTILINE)


@dataclass
class Trained:
    """What is seen of a fit of all splits."""

    weights: Arrays = field(default_factory=list)
    curves: list[list[tuple[float, float | None]]] = field(default_factory=list)
    oof: list[np.ndarray[Any, Any]] = field(default_factory=list)
    fused: str = ""
    unfused: str = ""


def job_of(make_job: Any, name: str) -> Job:
    options: dict[str, Any] = {"vault": None}
    if name in BUILT_IN:
        job = make_job("binary", name.split()[0], rows=SPLITS * 81 + 1, values=BUILT_IN[name], **options)
    else:
        factory = f"awkward_models:{name}"
        family = FamilyRef(
            name=name, factory=factory, root=HERE, preparation="scaled", code=code_identity(factory, HERE)
        )
        job = make_job("binary", family, rows=SPLITS * 50 + 1, **options)
    return job.model_copy(
        update={"settings": job.settings.model_copy(update={"epochs": EPOCHS, "batch_size": BATCH, "patience": EPOCHS})}
    )


def fused_as(job: Job, fuse: str) -> Material:
    return open_material(job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": fuse})}))


def fitter_of(material: Material) -> KerasFitter:
    from workbench.training.keras_path import KerasFitter

    def rebuild(seed: int) -> Built:
        return build(material.job.family, material.problem, HyperParameters(material.job.values), seed)

    return KerasFitter(rebuild(material.seed(0, "fit")), material, rebuild, Checkpoints(material))


def trained(material: Material) -> Trained:
    fitter = fitter_of(material)
    splits = list(material.splits(neural=True))
    together = fitter.together(splits[0], SPLITS)
    found = Trained(fused=fitter.fused, unfused=fitter.unfused)
    for first in range(0, SPLITS, together):
        group = splits[first : first + together]
        curves: list[list[tuple[float, float | None]]] = [[] for _ in group]
        watchers = [watcher_of(material, split, curve) for split, curve in zip(group, curves, strict=True)]
        for split, fitted in zip(group, fitter.fit_all(group, watchers), strict=True):
            found.weights.append(fitted.model._weights.arrays)
            found.oof.append(fitted.model.predict(split.prepared.table.take(split.validate)))
        found.curves += curves
    return found


def watcher_of(material: Material, split: Split, curve: list[tuple[float, float | None]]) -> Watcher:
    def tell(_: int, value: float, loss: float | None) -> bool:
        curve.append((value, loss))
        return False

    return Unstopped(material.monitor, split.y[split.watch], None, patience=EPOCHS, tell=tell)


class Unstopped(Watcher):
    """Takes every epoch for the best one, so that the last one's weights are what a fit gives."""

    def judge(self, prediction: np.ndarray[Any, Any], loss: float | None = None) -> bool:
        self.best_epoch = 0
        return super().judge(prediction, loss)


def by_keras(material: Material) -> Arrays:
    """Return each split's weights after Keras' own ``train_step``, compiled and called as its ``fit`` does it."""
    import jax

    from workbench.training.keras_feed import take
    from workbench.training.keras_state import averages_index

    fitter = fitter_of(material)
    model, recipe, batch = fitter._model, fitter._recipe, fitter._batch
    steps = min(fitter._steps)
    step: Any = model.train_step if model.run_eagerly else jax.jit(model.train_step)
    found = []
    for split in material.splits(neural=True):
        table = fitter._table(split)
        state = fitter._states.of(split.seed, take(table, split.train[:batch]))
        metrics = [variable.value for variable in model.metrics_variables]
        values = ([*state.weights.trainable], [*state.weights.non_trainable], [*state.optimizer], metrics)
        rng = np.random.default_rng(derive_seed(split.seed, "shuffle"))
        for epoch in range(EPOCHS):
            rate = 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS)) if recipe.schedule == "cosine" else 1.0
            for rows in rng.permutation(split.train)[: steps * batch].reshape(steps, batch):
                _, values = step(at_rate(model, values, state, rate), take(table, rows))
        # As fit ends: averages take the place of what they are averages of.
        trainable = [values[2][place] for place in averages_index(model.optimizer)] or values[0]
        found.append([np.asarray(value) for value in (*trainable, *values[1])])
    return found


def at_rate(model: Any, values: Any, start: State, rate: float) -> Any:
    """Return the numbers with the first learning rate scaled."""
    from workbench.training.keras_state import learning_rate_index

    if (index := learning_rate_index(model.optimizer)) is None:
        return values
    optimizer = list(values[2])
    optimizer[index] = start.optimizer[index] * np.float32(rate)
    return (*values[:2], optimizer, *values[3:])


def apart(left: Arrays, right: Arrays) -> float:
    """Return the largest difference between two fits' weights."""
    pairs = [pair for ours, theirs in zip(left, right, strict=True) for pair in zip(ours, theirs, strict=True)]
    return max(float(np.abs(np.float64(a) - np.float64(b)).max(initial=0.0)) for a, b in pairs)


def close_curves(ours: Trained, theirs: Trained) -> None:
    assert all(len(curve) == EPOCHS for curve in ours.curves)
    np.testing.assert_allclose(np.array(ours.curves, dtype=float), np.array(theirs.curves, dtype=float), rtol=1e-3)
    np.testing.assert_allclose(np.concatenate(ours.oof), np.concatenate(theirs.oof), rtol=1e-3, atol=1e-4)


@pytest.fixture
def quickly_compiled() -> Iterator[None]:
    """Compile with few optimisations, in half the time."""
    import jax

    from workbench.training import jax_programs

    jax_programs.forget()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax_programs.forget()


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("name", ["everything", "everything_of_a_class"])
def test_what_is_awkward_trains_together_as_by_keras(make_job, name: str) -> None:
    job = job_of(make_job, name)
    together = trained(fused_as(job, "map"))
    assert together.fused == "map"
    assert apart(together.weights, by_keras(fused_as(job, "off"))) < 1e-5


@pytest.mark.usefixtures("quickly_compiled")
def test_a_built_in_trains_in_one_batch_as_one_after_another(make_job) -> None:
    job = job_of(make_job, "mlp")
    close_curves(trained(fused_as(job, "vmap")), trained(fused_as(job, "off")))


@pytest.mark.soak
@pytest.mark.parametrize("name", [*BUILT_IN, *AWKWARD])
def test_every_model_trains_together_as_one_after_another(make_job, name: str) -> None:
    job = job_of(make_job, name)
    one, mapped, batched = (trained(fused_as(job, fuse)) for fuse in ("off", "map", "vmap"))
    if name in UNFUSED:
        assert UNFUSED[name] in mapped.unfused
    else:
        assert (one.fused, mapped.fused, batched.fused) == ("", "map", "vmap")
    assert apart(one.weights, by_keras(fused_as(job, "off"))) < 1e-5
    assert apart(one.weights, mapped.weights) < 1e-5
    for together in (mapped, batched):
        close_curves(together, one)
