"""A scikit-learn estimator or a booster as a schematic: the table, its preparation, the model, the prediction."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from workbench import registry
from workbench.models.problem import Problem
from workbench.picture.text import compact, explanation, in_words
from workbench.training.build import Built
from workbench.wording import counted

_INDENT = 24


def draw_estimator(built: Built, problem: Problem, preparation: str) -> list[str]:
    """Return the lines of the schematic."""
    schema = problem.schema
    kinds = {"number": len(schema.numeric), "category code": len(schema.categorical)}
    columns = ", ".join(counted(number, kind) for kind, number in kinds.items() if number)
    prepared = explanation(registry.resolve("preparations", preparation))
    lines = [*_box("table", "as it was read"), _arrow(), *_box(preparation, prepared), _arrow(columns)]
    for name, step in _steps(built.model):
        lines += [*_box(name, _settings(step)), _arrow()]
    return [*lines, *_box("prediction", _prediction(problem))]


def _steps(model: Any) -> list[tuple[str, Any]]:
    """Return the steps of a pipeline, or the estimator itself."""
    parts = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    return [(type(part).__name__, part) for part in parts]


def _settings(estimator: Any) -> str:
    """Return the options that differ from the library's defaults, else what the class says of itself."""
    options, defaults = _options(estimator), {}
    with suppress(TypeError):  # a class of a user's may need arguments
        defaults = _options(type(estimator)())
    changed = {name: value for name, value in options.items() if repr(defaults.get(name)) != repr(value)}
    return ", ".join(f"{name} {compact(value)}" for name, value in changed.items()) or explanation(type(estimator))


def _options(estimator: Any) -> dict[str, Any]:
    return estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}


def _prediction(problem: Problem) -> str:
    if problem.task == "regression":
        return f"a value, trained on {problem.objective.kind} error"
    if problem.task == "binary":
        return f"the probability of {problem.classes[1]!r}"
    return f"a probability for each of {len(problem.classes)} classes"


def _box(name: str, text: str) -> list[str]:
    return in_words(f"{name:>{_INDENT - 4}}", text or "-", _INDENT)


def _arrow(beside: str = "") -> str:
    return f"{'|':>{_INDENT - 5}}     {beside}".rstrip()
