"""``features.py`` and ``factories.py``: examples made of this table's columns, importable and not in use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from string import Template

from workbench.data import Dataset
from workbench.types import Column

MOST_LINES = 4
MANY_VALUES = 10
SMALL = 2000
"""Rows below which the example network is small."""


def features_code(data: Dataset, strengths: Mapping[str, float]) -> str:
    """Return ``features.py``: a row-wise set of the columns that tell most, and a fitted one as a comment."""
    features = {column.name: column for column in data.schema.features}
    ranked = [features[name] for name in [*strengths, *(name for name in features if name not in strengths)]]
    statements = list(_statements(data, ranked))[:MOST_LINES]
    numbers = [column.name for column in ranked if column.kind == "numeric"][:2]
    return _filled(
        "features.py.txt",
        statements="\n".join(f"    {line}" for statement in statements for line in statement.split("\n")),
        numbers=f"[{', '.join(map(_quoted, numbers))}]",
    )


def factories_code(data: Dataset) -> str:
    """Return ``factories.py``: a Keras factory and a scikit-learn factory for this task."""
    regression = data.schema.task == "regression"
    small = data.rows < SMALL
    return _filled(
        "factories.py.txt",
        units="32" if small else "128",
        most_units="128" if small else "512",
        forest="extremely randomised trees",
        estimator="ExtraTreesRegressor" if regression else "ExtraTreesClassifier",
        trees="300" if small else "100",
        leaf="2" if small else "5",
        share="0.5" if regression else "0.3",
    )


def _statements(data: Dataset, ranked: list[Column]) -> Iterator[str]:
    """Yield lines that add a column each; all are functions of one row."""
    numeric = [column.name for column in ranked if column.kind == "numeric"]
    many = [name for name in numeric if data.features[name].nunique() > MANY_VALUES]
    categories = [column.name for column in ranked if column.kind == "categorical"]
    if any(column.missing for column in ranked):
        yield 'frame["cells missing"] = frame.isna().sum(axis=1).astype("float64")'
    if len(many) >= 2:
        yield _ratio(many[0], many[1])
    elif len(categories) >= 2:
        first, second = (f'frame[{_quoted(name)}].fillna("")' for name in categories[:2])
        yield f'frame[{_quoted(f"{categories[0]} with {categories[1]}")}] = {first} + "|" + {second}'
    for column in data.schema.columns:
        if column.kind == "datetime":
            yield f'frame[{_quoted(f"{column.name} hour")}] = frame[{_quoted(column.name)}].dt.hour.astype("float64")'
        if column.cells == "categorical" and data.others[column.name].nunique() > MANY_VALUES:
            cells = f"frame[{_quoted(column.name)}]"
            yield f'frame[{_quoted(f"{column.name} length")}] = {cells}.str.len().astype("float64")'
    if len(many) < 2 and len(categories) < 2 and len(numeric) >= 2:
        first, second = (f"frame[{_quoted(name)}]" for name in numeric[:2])
        yield f"frame[{_quoted(f'{numeric[0]} plus {numeric[1]}')}] = {first} + {second}"


def _ratio(above: str, below: str) -> str:
    divisor = f"frame[{_quoted(below)}]"
    return (
        f"divisor = {divisor}.where({divisor} != 0)  # a gap instead of a division by zero\n"
        f"frame[{_quoted(f'{above} per {below}')}] = frame[{_quoted(above)}] / divisor"
    )


def _quoted(name: str) -> str:
    """Return a name as Python: readable, but for what ends a line or cannot be seen."""
    return json.dumps(name, ensure_ascii=False) if name.isprintable() else repr(name)


def _filled(template: str, **parts: str) -> str:
    text = files("workbench.scaffold").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(parts)
