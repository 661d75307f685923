"""Every built-in family: its space holds, and every configuration in it can be built."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import numpy as np
import pytest

from workbench import registry
from workbench.errors import FactoryError
from workbench.models.factory import call_factory
from workbench.models.family import Family
from workbench.models.hyperparameters import HyperParameters
from workbench.models.problem import Problem
from workbench.models.recipe import Recipe
from workbench.models.space import discover
from workbench.training.build import seeded
from workbench.types import InputSchema, Parameter, Scalar, Space, Values

MIXED = InputSchema(numeric=("a", "b"), categorical=("c", "d"), sizes=(4, 9))
PROBLEMS = {
    "binary": Problem("binary", "auc", ("no", "yes"), MIXED, 300),
    "multiclass": Problem("multiclass", "log_loss", ("a", "b", "c"), InputSchema(numeric=("a",)), 300),
    "regression": Problem("regression", "mae", (), InputSchema(categorical=("c",), sizes=(5,)), 30_000),
}
NEURAL = ("mlp", "wide_and_deep")
ESTIMATORS = ("dummy", "linear", "knn", "random_forest", "extra_trees", "lightgbm", "xgboost", "catboost")
FAMILIES = [*ESTIMATORS, *(pytest.param(name, marks=pytest.mark.keras) for name in NEURAL)]


@pytest.fixture(autouse=True)
def as_a_trial_builds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Initial weights are drawn by NumPy: JAX would compile a program for each shape, 40 s in all."""
    if request.node.get_closest_marker("keras"):
        import keras  # noqa: F401
    with seeded(0):
        yield


def space_of(name: str, problem: Problem) -> Space:
    build = registry.load(registry.resolve("families", name).build, None)

    def probe(hp: HyperParameters) -> None:
        call_factory(build, hp, problem.fresh())

    return discover(probe)


def some_value(parameter: Parameter, rng: random.Random) -> Scalar:
    if parameter.kind == "boolean":
        return rng.random() < 0.5
    if parameter.choices:
        return rng.choice(parameter.choices)
    if parameter.kind == "fixed":
        return parameter.default
    ends = (parameter.low, parameter.high)
    value = rng.choice(ends)
    return int(value) if parameter.kind == "int" else float(value)


def some_values(space: Space, seed: int) -> Values:
    """Choose corners of the space: the ends of ranges, any choice."""
    rng = random.Random(seed)
    values: Values = {}
    for parameter in space.parameters:
        if parameter.active(values):
            values[parameter.name] = some_value(parameter, rng)
    return values


@pytest.mark.parametrize("name", [*ESTIMATORS, *NEURAL])
def test_a_family_is_what_the_registry_says(name: str) -> None:
    family = registry.resolve("families", name)
    assert isinstance(family, Family)
    assert family.ref(name).code == f"built-in:{family.build}:{family.version}"
    assert family.preparation in registry.references("preparations")
    assert family.neural == (name in NEURAL)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", list(PROBLEMS))
def test_corners_of_the_space_can_be_built(name: str, task: str) -> None:
    problem = PROBLEMS[task]
    build = registry.load(registry.resolve("families", name).build, None)
    space = space_of(name, problem)
    for seed in range(2 if name in NEURAL else 20):
        values = some_values(space, seed)
        hp = HyperParameters(values)
        answer = call_factory(build, hp, problem.fresh())
        assert hp.used == values, "a value that was not asked for, or asked for under another condition"
        model = answer.model if isinstance(answer, Recipe) else answer
        assert callable(model.fit)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", pytest.param("mlp", marks=pytest.mark.keras)])
def test_spaces_are_conditional_and_shared_names_mean_the_same(name: str) -> None:
    space = space_of(name, PROBLEMS["binary"])
    assert any(parameter.conditions for parameter in space.parameters)
    lr = next(p for p in space.parameters if p.name == "lr")
    assert lr.log
    assert lr.low < lr.default < lr.high


@pytest.mark.keras
@pytest.mark.parametrize("task", list(PROBLEMS))
@pytest.mark.parametrize("values", [{}, {"members": 1, "norm": "layer"}])
def test_the_mlp_predicts_the_mean_of_its_members(task: str, values: Values) -> None:
    from workbench.models.mlp import build

    problem = PROBLEMS[task].fresh()
    model = build(HyperParameters(values), problem).model
    rng = np.random.default_rng(0)
    batch = {
        "numeric": rng.normal(size=(5, len(problem.schema.numeric))).astype(np.float32),
        "categorical": np.ones((5, len(problem.schema.categorical)), dtype=np.int32),
    }
    x = {key: batch[key] for key in problem.inputs}
    single, members = np.asarray(model(x, training=False)), np.asarray(model(x, training=True))
    assert single.shape == (5, problem.outputs)
    assert members.shape == (5, values.get("members", 4 if problem.rows > 5000 else 8), problem.outputs)
    if task == "multiclass":
        np.testing.assert_allclose(single.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.keras
def test_ten_lines_make_a_keras_factory() -> None:
    import keras

    def build(hp: HyperParameters, problem: Problem) -> keras.Model:
        x = keras.layers.Dense(hp.Int("width", 8, 64), "relu")(problem.encode(hp))
        return problem.model(x, optimizer=keras.optimizers.Adam(1e-3))

    for problem in PROBLEMS.values():
        fresh = problem.fresh()
        model = build(HyperParameters(), fresh)
        assert model.output_shape == (None, problem.outputs)
        assert model.compiled
        assert {tensor.name for tensor in model.inputs} == set(fresh.inputs)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_problems_survive_json(problem: Problem) -> None:
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, r"batch_size=\): expected a whole number above 0"),
        ({"epochs": True}, r"epochs=\): expected a whole number"),
        ({"schedule": "linear"}, "expected constant or cosine, got 'linear'"),
        ({"sample_weight": 2.0}, "expected a function of y"),
    ],
)
def test_recipes_refuse_what_training_would_not_honour(options: dict[str, object], message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        Recipe(model=None, **options)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_recipe_weights_are_checked(weights: list[float]) -> None:
    with pytest.raises(FactoryError, match="2 finite weights of at least 0"):
        Recipe(model=None, sample_weight=lambda _: np.array(weights)).row_weights(np.zeros(2), None, np.arange(2))


def test_recipe_weights_multiply_the_tables() -> None:
    recipe = Recipe(model=None, sample_weight=lambda y: 1 + y)
    weights = recipe.row_weights(np.arange(3.0), np.full(3, 2.0), np.array([0, 2]))
    np.testing.assert_array_equal(weights, [2, np.nan, 6])
