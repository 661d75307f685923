"""Rates: which they are, that they are variables, and that nothing else in a built-in family depends on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench import registry
from workbench.models.hyperparameters import HyperParameters
from workbench.models.problem import Problem
from workbench.models.rates import rates, rates_of
from workbench.types import InputSchema, Values

SCHEMA = InputSchema(numeric=("a", "b"), categorical=("c", "d"), sizes=(4, 9))
PROBLEMS = {
    "binary": Problem("binary", "auc", ("no", "yes"), SCHEMA, 300),
    "regression": Problem("regression", "rmse", (), SCHEMA, 30_000),
}
LOW: Values = {"lr": 1e-3, "weight_decay": 1e-3, "dropout": 0.0}
HIGH: Values = {"lr": 2e-2, "weight_decay": 0.3, "dropout": 0.4}
BATCH = (
    {"numeric": np.ones((8, 2), np.float32), "categorical": np.ones((8, 2), np.int32)},
    np.ones((8, 1), np.float32),
)


@rates(lr="learning_rate", dropout="rate")
def marked() -> None: ...


class Builder:
    @rates(lr="learning_rate")
    def build(self) -> None: ...


def test_a_factory_says_its_rates() -> None:
    assert rates_of(marked) == {"lr": "learning_rate", "dropout": "rate"}
    assert rates_of(Builder) == rates_of(Builder()) == {"lr": "learning_rate"}
    assert rates_of(print) == {}
    with pytest.raises(TypeError, match="variables of their own for each hyperparameter, got 'rate' twice"):
        rates(dropout="rate", input_dropout="rate")


def family(name: str) -> Callable[..., Any]:
    factory: Callable[..., Any] = registry.load(registry.resolve("families", name).build, None)
    return factory


def built(name: str, task: str, values: Values) -> tuple[Any, Any]:
    """Return a model of a family with all its variables, and its recipe."""
    from workbench.training.build import seeded
    from workbench.training.keras_state import prepare

    with seeded(1):
        recipe = family(name)(HyperParameters({"width": 32, **values}), PROBLEMS[task].fresh())
        prepare(recipe.model, BATCH)
    return recipe.model, recipe


def variables(model: Any) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]


def numbers(model: Any) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(variable.value) for variable in variables(model)]


def traced(model: Any) -> str:
    """Return the text of a training step's program, its constants among it."""
    import jax

    kinds = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    state = [[v.value for v in kind] for kind in (*kinds, model.metrics_variables)]
    program = jax.jit(model.train_step).trace(state, BATCH).jaxpr
    return re.sub(r"0x[0-9a-f]+", "", f"{program}{program.consts}")


@pytest.mark.keras
@pytest.mark.parametrize("task", list(PROBLEMS))
@pytest.mark.parametrize("name", ["mlp", "wide_and_deep"])
def test_nothing_but_variables_depends_on_the_rates_of_a_family(name: str, task: str) -> None:
    assert rates_of(family(name)).keys() == LOW.keys()
    (low, recipe), (high, other) = built(name, task, LOW), built(name, task, HIGH)
    options = ("batch_size", "epochs", "patience", "schedule", "sample_weight")
    assert [getattr(recipe, o) for o in options] == [getattr(other, o) for o in options]
    program = traced(low)
    assert program == traced(high)
    assert program != traced(built(name, task, {**LOW, "depth": 4})[0])
    for hyperparameter, variable_name in rates_of(family(name)).items():
        held = [variable for variable in variables(low) if variable.name == variable_name]
        np.testing.assert_allclose([np.asarray(v.value) for v in held], LOW[hyperparameter], rtol=1e-6)
        assert held
        for variable in held:
            variable.assign(HIGH[hyperparameter])
    for left, right in zip(numbers(low), numbers(high), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, of its variables
@pytest.mark.parametrize("name", ["mlp", "wide_and_deep"])
def test_a_family_is_the_same_after_keras_saved_it(name: str, tmp_path: Any) -> None:
    import keras

    from workbench.training.initial import drawn_by_numpy

    model, _ = built(name, "binary", LOW)
    rng = np.random.default_rng(0)
    for variable in variables(model):
        if "seed" not in variable.name:  # Keras' Dropout does not save the state of its generator either
            variable.assign(rng.integers(1, 9, variable.shape) / 16)
    model.save(tmp_path / "model.keras")
    with drawn_by_numpy():
        loaded = keras.models.load_model(tmp_path / "model.keras")
    for left, right in zip(variables(model), variables(loaded), strict=True):
        if "seed" not in left.name:
            np.testing.assert_array_equal(left.value, right.value)
    rates_held = {layer.rate for layer in loaded.layers if type(layer).__name__ == "Dropout"}
    assert rates_held == {float(v.value) for v in model.non_trainable_variables if v.name == "rate"}
    assert loaded.optimizer.get_config()["weight_decay"] == float(model.optimizer.weight_decay.value)


@pytest.mark.keras
def test_dropout_keeps_the_mean_by_independent_masks_and_another_rate_compiles_nothing() -> None:
    import jax

    from workbench.models.dropout import Dropout

    def dropped(fixed: Any, x: Any) -> Any:
        return layer.stateless_call([], fixed, x, training=True)

    layer, x = Dropout(0.1, seed=3), np.full((256, 8, 128), 2.0, np.float32)
    call, slope = jax.jit(dropped), jax.jit(jax.grad(lambda x, fixed: dropped(fixed, x)[0].sum()))
    np.testing.assert_array_equal(layer(x), x)
    for rate in (0.0, 0.1, 0.7, 1.0):
        layer.variables[0].assign(rate)
        assert layer.get_config()["rate"] == rate
        first, fixed = call([v.value for v in layer.variables], x)
        second, _ = call(fixed, x)
        assert np.isfinite(slope(x, fixed)).all()
        if rate in (0, 1):
            np.testing.assert_array_equal(first, x * (1 - rate))
            continue
        np.testing.assert_allclose(np.unique(first), [0, 2 / (1 - rate)], rtol=1e-6)
        variance = rate * (1 - rate)
        kept, later = ((np.asarray(mask) != 0) - (1 - rate) for mask in (first, second))
        assert abs(kept.mean()) < 4 * (variance / x.size) ** 0.5
        for other in (later, *(np.roll(kept, 1, axis) for axis in range(3))):
            assert abs((kept * other).mean()) < 4 * variance / x.size**0.5
    assert call._cache_size() == 1
    assert call(fixed, x.astype("bfloat16"))[0].dtype == "bfloat16"
    with pytest.raises(ValueError, match="expected a number from 0 to 1, got 2"):
        Dropout(2)


@pytest.mark.keras
@pytest.mark.parametrize("clip", [{}, {"clipnorm": 1.0}])
def test_adamw_gives_the_numbers_of_keras(clip: dict[str, float]) -> None:
    import jax
    import keras

    from workbench.models.optimizers import AdamW

    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 3), (3,))]
    steps = [[10 * rng.normal(size=a.shape).astype(np.float32) for a in start] for _ in range(20)]
    ends = []
    for kind, first in ((keras.optimizers.AdamW, 0.1), (AdamW, 0.1), (AdamW, 0.5)):
        weights = [keras.Variable(a) for a in start]
        optimizer = kind(0.01, weight_decay=first, **clip)
        optimizer.build(weights)
        for variable in optimizer.variables:
            if variable.name == "weight_decay":
                variable.assign(0.1)
        state, values = [v.value for v in optimizer.variables], [v.value for v in weights]
        update = jax.jit(optimizer.stateless_apply)
        for gradients in steps:
            values, state = update(state, gradients, values)
        ends.append(values)
    for other in ends[1:]:
        for left, right in zip(ends[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


@pytest.mark.keras
@pytest.mark.parametrize("members", [1, 4])
def test_members_are_the_products_that_the_paper_writes(members: int) -> None:
    import jax

    from workbench.models.layers import MembersDense, MembersHead
    from workbench.training.initial import drawn_by_numpy

    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, members, 5)).astype(np.float32)

    def applied(layer: Any, x: Any) -> tuple[Any, list[Any]]:
        with drawn_by_numpy():
            layer.build(x.shape)
        weights = [rng.normal(size=v.shape).astype(np.float32) for v in layer.variables]
        return jax.jit(layer.stateless_call)(weights, [], x)[0], weights

    hidden, (scale_in, kernel, scale_out, bias) = applied(MembersDense(members, 7, first=True), x)
    np.testing.assert_allclose(hidden, (x * scale_in) @ kernel * scale_out + bias, atol=1e-5)
    outputs, (kernel, bias) = applied(MembersHead(3), hidden)
    np.testing.assert_allclose(outputs, np.einsum("nkd,kdu->nku", hidden, kernel) + bias, atol=1e-5)


@pytest.mark.keras
def test_the_cosine_and_its_slope_are_exact_in_float32() -> None:
    import jax

    from workbench.models.layers import cosine

    turns = np.concatenate([np.linspace(-3, 3, 1000), [1e3, 0.25, 0.5]]).astype(np.float32)
    angles = 2 * np.pi * (turns.astype(np.float64) % 1)
    np.testing.assert_allclose(cosine(turns), np.cos(angles), atol=1e-6)
    slopes = jax.jit(jax.vmap(jax.grad(cosine)))(turns)
    np.testing.assert_allclose(slopes, -2 * np.pi * np.sin(angles), atol=1e-5)
