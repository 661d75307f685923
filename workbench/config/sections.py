"""Which keys are valid where, read off the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workbench.config.models import ExperimentConfig
from workbench.config.source import KeyPath, dotted
from workbench.errors import nearest


def section(path: KeyPath) -> type[BaseModel] | None:
    """Return the model of the mapping at ``path``; ``None`` where keys are free or where there is no mapping."""
    model: type[BaseModel] | None = ExperimentConfig
    for part in path:
        if isinstance(part, int):
            continue  # an entry of a list has the list's model
        field = model.model_fields.get(part) if model else None
        model = _model(field) if field else None
    return model


def field_at(path: KeyPath) -> FieldInfo | None:
    """Return the field at ``path``, or ``None``."""
    model = section(path[:-1]) if path else None
    return model.model_fields.get(str(path[-1])) if model else None


def unknown_key(path: KeyPath) -> str:
    """Return what is wrong with the last part of ``path``, which its section does not have, and what would be right."""
    model = section(path[:-1])
    key, valid = str(path[-1]), list(model.model_fields) if model else []
    suggestion = _elsewhere(key) or nearest(key, valid)
    return f"unknown key '{key}'; expected one of {', '.join(valid)}.{suggestion}".removesuffix(".")


def _elsewhere(key: str) -> str:
    """Suggest a key of the same name in another section, such as ``search.trials`` for ``trials``."""
    found = [dotted(path) for path in _paths(ExperimentConfig) if path[-1] == key]
    return f" Did you mean '{found[0]}'?" if found else ""


def _paths(model: type[BaseModel], above: KeyPath = ()) -> Iterator[KeyPath]:
    for name, field in model.model_fields.items():
        yield (*above, name)
        if isinstance(inner := field.annotation, type) and issubclass(inner, BaseModel):
            yield from _paths(inner, (*above, name))


def _model(field: FieldInfo) -> type[BaseModel] | None:
    kinds = (kind for kind in _flat(field.annotation) if isinstance(kind, type))
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def _flat(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _flat(argument)
