"""``experiment.yaml``: what was inferred and why, and every other key as a comment that says what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from workbench import registry
from workbench.config.models import ExperimentConfig
from workbench.scaffold.columns import KINDS, ColumnSummary
from workbench.scaffold.inference import Finding, Inference
from workbench.scaffold.yaml_lines import entry, remark

MOST_COLUMNS = 60
HEAD = (
    "Written by 'workbench init': what it read from the tables, and why. A line that begins with '#' is off;",
    "take the mark away to set its key. Delete what you do not need: every key has a default.",
)
FAMILIES = {
    "dummy": "the mean or the class shares: what everything must beat",
    "linear": "logistic or ridge regression: cheap, and another view of the table",
    "lightgbm": "boosted trees: the strongest baseline on most tables",
    "xgboost": "boosted trees again; they err elsewhere, which a blend turns to profit",
    "mlp": "a Keras network with embeddings of the categories",
    "factories:network": "a Keras model of your own: factories.py",
    "factories:forest": "a scikit-learn model of your own: factories.py",
}


@dataclass(frozen=True)
class Contents:
    """What the file says."""

    inferences: Sequence[Inference]
    findings: Sequence[Finding]
    columns: Sequence[ColumnSummary]
    shape: str
    """The size of the tables in words."""


def experiment_yaml(contents: Contents) -> str:
    """Return the text of the file."""
    lines = [*_head(contents)]
    for name, field in ExperimentConfig.model_fields.items():
        if name == "version":
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines += ["", *_section(name, field.annotation, contents)]
        elif name == "families":
            lines += ["", *_families(contents)]
        else:
            lines += _field(0, name, field, contents.inferences)
    return "\n".join(lines).strip() + "\n"


def _head(contents: Contents) -> Iterator[str]:
    for line in (*HEAD, contents.shape):
        yield f"# {line}"
    for title, warning in (("Look at this first:", True), ("Good to know:", False)):
        texts = [finding.text for finding in contents.findings if finding.warning is warning]
        if texts:
            yield "#"
            yield f"# {title}"
            for text in texts:
                yield from remark(0, text, "- ")
    yield ""


def _section(name: str, model: type[BaseModel], contents: Contents) -> Iterator[str]:
    yield f"{name}:"
    for key, field in model.model_fields.items():
        if (name, key) == ("data", "columns"):
            yield from _columns(contents)
        else:
            yield from _field(2, f"{name}.{key}", field, contents.inferences)


def _field(indent: int, path: str, field: FieldInfo, inferences: Sequence[Inference]) -> Iterator[str]:
    key = path.rpartition(".")[2]
    own = [inference for inference in inferences if inference.key == path]
    for inference in own:
        yield from entry(indent, key, inference.value, inference.reason, active=inference.sure)
    if not own:
        yield from entry(indent, key, _default(field), field.description or "", active=False)


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return None if default is PydanticUndefined else default


def _columns(contents: Contents) -> Iterator[str]:
    corrected = next((inference for inference in contents.inferences if inference.key == "data.columns"), None)
    yield from remark(2, "What each column was taken for; list those that are something else under 'columns'.")
    yield "  columns:" if corrected is not None else "  # columns:"
    for name, kind in (corrected.value if corrected is not None else {}).items():
        yield from entry(4, name, kind, corrected.reason if corrected is not None else "")
    kinds = [column for column in contents.columns if column.kind in KINDS]
    for column in kinds[:MOST_COLUMNS]:
        if corrected is None or column.name not in corrected.value:
            yield from entry(4, column.name, column.kind, _about(column), active=False)
    if len(kinds) > MOST_COLUMNS:
        yield f"    # … and {len(kinds) - MOST_COLUMNS:,} more"


def _about(column: ColumnSummary) -> str:
    missing = f", {column.missing_text} missing" if column.missing else ""
    note = f", {column.note}" if column.note else ""
    return f"{column.distinct:,} values such as {column.example}{missing}{note}" if column.distinct else "empty"


def _families(contents: Contents) -> Iterator[str]:
    own = next(inference for inference in contents.inferences if inference.key == "families")
    yield from remark(0, own.reason)
    yield "families:"
    for name in own.value:
        yield from _family(name, active=True)
    others = [name for name in registry.references("families") if name not in own.value]
    yield from remark(2, f"Others that are built in: {', '.join(others)}.")
    for name in FAMILIES:
        if ":" in name:
            yield from _family(name, active=False)


def _family(name: str, *, active: bool) -> Iterator[str]:
    line = f"  {'' if active else '# '}- {name}"
    yield f"{line}  # {FAMILIES[name]}" if name in FAMILIES else line
