"""The hyperparameters of a family: what each has here, what it may have, and when it exists."""

from __future__ import annotations

from workbench.picture.text import compact, in_words
from workbench.types import Parameter, Space, Values


def draw_space(space: Space, values: Values) -> list[str]:
    """Return a line for each hyperparameter; ``values`` are those of the model that is drawn."""
    names = max(len(parameter.name) for parameter in space.parameters)
    parameters = _by_parent(space)
    shown = [compact(values.get(parameter.name, "-")) for parameter in parameters]
    width = max(len("HERE"), *(len(text) for text in shown))
    lines = [f"{'HYPERPARAMETER':<{max(names, 14)}}  {'HERE':<{width}}  SEARCHED"]
    for parameter, here in zip(parameters, shown, strict=True):
        start = f"{parameter.name:<{max(names, 14)}}  {here:<{width}}  "
        lines += in_words(start, ", ".join([_range(parameter), *_conditions(parameter)]), len(start))
    return lines


def _by_parent(space: Space) -> list[Parameter]:
    """Return the parameters, those that exist under a condition right after the one that they depend on."""
    ordered: list[Parameter] = []
    for parameter in space.parameters:
        family = _parents(parameter)
        places = [i for i, other in enumerate(ordered) if other.name in family or family & _parents(other)]
        ordered.insert(places[-1] + 1 if places else len(ordered), parameter)
    return ordered


def _parents(parameter: Parameter) -> set[str]:
    return {condition.parameter for condition in parameter.conditions}


def _range(parameter: Parameter) -> str:
    if parameter.kind == "fixed":
        return "not searched"
    if parameter.kind == "boolean":
        return "true, false"
    if parameter.low is None or parameter.high is None:
        return ", ".join(compact(choice) for choice in parameter.choices)
    words = [f"{compact(parameter.low)} to {compact(parameter.high)}"]
    words += [f"in steps of {compact(parameter.step)}"] if parameter.step is not None else []
    words += ["log"] if parameter.log else ["reverse log"] if parameter.reverse else []
    return ", ".join(words)


def _conditions(parameter: Parameter) -> list[str]:
    return [f"if {c.parameter} = {' or '.join(compact(value) for value in c.values)}" for c in parameter.conditions]
