"""The schema that editors check ``experiment.yaml`` with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workbench.config import config_from_mapping, json_schema, write_json_schema
from workbench.config.source import Source
from workbench.config.yaml_text import parse


def test_the_committed_schema_is_up_to_date(repository: Path, tmp_path: Path) -> None:
    write_json_schema(tmp_path / "new" / "schema.json")
    committed = (repository / "docs" / "experiment.schema.json").read_text(encoding="utf-8")
    assert (tmp_path / "new" / "schema.json").read_text(encoding="utf-8") == committed, "run 'make schema'"


def test_the_command_writes_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "workbench.config", str(tmp_path / "schema.json")], check=True, timeout=60)
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == json_schema()


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, model in {"ExperimentConfig": schema, **schema["$defs"]}.items():
        for key, described in model["properties"].items():
            yield f"{name}.{key}", described


def test_every_key_is_described() -> None:
    schema = json_schema()
    for name, described in _properties(schema):
        target = schema["$defs"].get(described.get("$ref", "").rpartition("/")[2], {})
        assert described.get("description") or target.get("description"), name


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("data: {train: a.csv, target: y}\nmetric: auc", True),
        ("data: {train: a.csv, target: y}\nmetric: {function: 'm:f', direction: maximize}", True),
        ("data: {train: a.csv, target: y}\nmetric: auc\nfamilies: [mlp, {name: a, factory: 'f:a'}]", True),
        ("data: {train: a.csv}\nmetric: auc", False),
        ("data: {train: a.csv, target: y}\nmetric: auc\nserch: {}", False),
        ("data: {train: a.csv, target: y}\nmetric: auc\nfolds: {splits: 1}", False),
    ],
)
def test_it_agrees_with_the_reader(text: str, valid: bool) -> None:
    found = jsonschema.Draft202012Validator(json_schema()).is_valid(parse(text, Source("text")).value)
    assert found is valid


def test_the_yaml_of_the_readme_is_valid(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        config_from_mapping(parse(block, Source("a document")).value)
