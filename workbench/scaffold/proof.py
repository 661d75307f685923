"""The last look at what is about to be written: whatever tables hold, the files can be read."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from workbench.config import ExperimentConfig, config_from_mapping
from workbench.config.source import Source
from workbench.config.yaml_text import parse


def prove(texts: Mapping[str, str], config: ExperimentConfig) -> None:
    """Read files by name, before they are written: Python by its grammar, the others as experiments.

    Raises:
        ConfigError: an experiment cannot be read.
        RuntimeError: Python cannot be read, or an experiment says something else than ``config``; a fault of ours.
    """
    for name, text in texts.items():
        if name.endswith(".py"):
            _parse(text, name)
        elif _read(text, name) != config:
            raise RuntimeError(f"workbench init would write an {name} that does not say what was inferred")


def _parse(text: str, name: str) -> None:
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise RuntimeError(f"workbench init would write a {name} that Python cannot read: {error}") from error


def _read(text: str, name: str) -> ExperimentConfig:
    source = Source(f"the {name} of workbench init")
    return config_from_mapping(parse(text, source).value, source.origin)
