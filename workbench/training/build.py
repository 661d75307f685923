"""From a family and values to a model: the factory is called under a seed, its answer is checked."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench import registry
from workbench.errors import ConfigError, FactoryError
from workbench.models.factory import call_factory, made
from workbench.models.hyperparameters import HyperParameters
from workbench.models.own_fit import OwnFit, model_fit, overrides_fit, own_fit
from workbench.models.problem import Problem
from workbench.models.recipe import Recipe
from workbench.training import initial, precision
from workbench.types import Backend, DtypePolicy, FamilyRef, Space, Values


@dataclass(frozen=True)
class Built:
    """A factory's answer: the recipe around a model, and the record of what it asked for."""

    recipe: Recipe
    hp: HyperParameters
    own_fit: OwnFit | None = None
    """How the factory, or its model's class, trains the model itself; ``None`` leaves it to the workbench."""

    @property
    def values(self) -> Values:
        """The values that were asked for so far."""
        return self.hp.used

    @property
    def space(self) -> Space:
        """What was declared so far."""
        return self.hp.space

    @property
    def model(self) -> Any:
        """The compiled Keras model or the estimator."""
        return self.recipe.model

    @property
    def neural(self) -> bool:
        """Whether the model is a Keras model."""
        return is_keras(self.model)


Rebuild = Callable[[int], Built]
"""Takes a seed; builds the same configuration again."""


def is_keras(model: Any) -> bool:
    """Say whether ``model`` is a Keras model, without importing Keras for those that are not."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def use_backend(backend: Backend) -> None:
    """Choose the Keras backend of this process.

    Raises:
        ConfigError: Keras already runs on another one.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        os.environ["KERAS_BACKEND"] = backend
    elif keras.backend.backend() != backend:
        raise ConfigError(
            f"training.backend is '{backend}', but Keras already runs on '{keras.backend.backend()}' in this process; "
            "use the executor 'local', whose workers start with the backend asked for"
        )


def build(
    family: FamilyRef, problem: Problem, hp: HyperParameters, seed: int, policy: DtypePolicy = "float32"
) -> Built:
    """Call the factory under a seed.

    Args:
        family: names the factory.
        problem: what it is told.
        hp: what it asks.
        seed: what it draws by.
        policy: Keras' dtype policy of all layers that choose none themselves.

    Raises:
        FactoryError: the factory raised, or returned something that is not a model.
    """
    factory = made(registry.load(family.factory, family.root))
    fit = own_fit(factory)
    with seeded(seed) as reseed, precision.under(policy) as set_policy:
        without_keras = "keras" not in sys.modules
        answer = call_factory(factory, hp, problem.fresh())
        if without_keras and "keras" in sys.modules:
            # It drew random numbers, perhaps, and has its own policy: the first build must not differ from later ones.
            reseed()
            set_policy()
            answer = call_factory(factory, hp.anew(), problem.fresh())
        recipe = answer if isinstance(answer, Recipe) else Recipe(model=answer)
        _create_variables(recipe.model, problem)
    if fit is None and is_keras(recipe.model) and overrides_fit(recipe.model):
        fit = model_fit
    if fit is not None and is_keras(recipe.model) and not recipe.model.compiled:
        recipe.model.compile()  # a loop of the user's own needs neither its optimizer nor a loss
    _check(recipe.model, family.factory)
    return Built(recipe, hp, fit)


def _create_variables(model: Any, problem: Problem) -> None:
    """Let a Keras model without inputs see a row, so that its layers draw their weights under the build's seed."""
    if not is_keras(model) or model.built:
        return
    from workbench.training.keras_targets import output_spec

    # One that does not take the plain matrix is told when it is prepared for training.
    with contextlib.suppress(FactoryError):
        output_spec(model, np.zeros((1, problem.width), dtype=np.float32))


def _check(model: Any, factory: str) -> None:
    if is_keras(model):
        if not model.compiled or model.optimizer is None:
            raise FactoryError(
                f"{factory}: the Keras model is not compiled; call model.compile(optimizer=..., loss=...)"
            )
    elif isinstance(model, type) or not (callable(getattr(model, "fit", None)) and hasattr(model, "predict")):
        raise FactoryError(
            f"{factory}: expected a compiled keras.Model, a scikit-learn estimator or a Recipe around one, "
            f"got {model!r:.200}"
        )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[Any]:
    """Seed Python, NumPy and (where loaded) Keras; give Python's and NumPy's state back afterwards."""
    before = random.getstate(), np.random.get_state()

    def reseed() -> None:
        random.seed(seed)
        np.random.seed(seed)
        if "keras" in sys.modules:
            _seed_keras(seed)
            initial.take_over()

    reseed()
    try:
        with initial.drawn_by_numpy():
            yield reseed
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def _seed_keras(seed: int) -> None:
    """Seed Keras without ``keras.utils.set_random_seed``, which imports TensorFlow (11 s) whatever the backend.

    Layers and initialisers draw their seeds from Python's generator, which is seeded already; what is left is the
    generator of ``keras.random`` calls without a seed: it is made anew from Python's.
    """
    import keras
    from keras.src.backend.common import global_state

    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
    else:
        global_state.set_global_attribute("global_seed_generator", None)
