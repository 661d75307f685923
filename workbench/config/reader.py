"""``experiment.yaml``, or a mapping, to a validated `ExperimentConfig`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from workbench.config.checks import feature_problems, file_problems, is_file, name_problems
from workbench.config.data_checks import encoding_problems, fold_problems, holdout_problems
from workbench.config.models import ExperimentConfig
from workbench.config.overrides import apply
from workbench.config.problems import problems
from workbench.config.sections import section
from workbench.config.source import Problem, Source, received
from workbench.config.yaml_text import MAX_BYTES, parse
from workbench.errors import ConfigError, nearest

FILE_NAME = "experiment.yaml"
VERSION = 1
_SMALLEST = "data: {train: train.csv, target: price}\nmetric: rmse"


def read_config(folder_or_file: Path, overrides: Sequence[str] = ()) -> tuple[ExperimentConfig, Path]:
    """Read an experiment.

    Args:
        folder_or_file: a folder that holds ``experiment.yaml``, or such a file under any name.
        overrides: ``key.path=value``, applied in order; see `workbench.config.overrides.apply`.

    Returns:
        The configuration, and the experiment's root folder (absolute), to which its paths are relative.

    Raises:
        ConfigError: the file is absent or not valid; the message names file, line, key path, what was expected, what
            was received, and the nearest valid name.
    """
    path = _found(folder_or_file)
    source = Source(str(path))
    document = parse(_text(path, source), source)
    lined = Source(str(path), {keys: f"line {line}" for keys, line in document.lines.items()})
    if document.value is None:
        raise source.error([Problem((), f"the file is empty; the smallest experiment is\n{_SMALLEST}")])
    root = path.parent.resolve()
    return _validated(document.value, lined, root, overrides), root


def config_from_mapping(
    mapping: Mapping[str, Any],
    origin: str = "configuration",
    *,
    root: Path | None = None,
    overrides: Sequence[str] = (),
) -> ExperimentConfig:
    """Validate a mapping with the keys of ``experiment.yaml``.

    Args:
        mapping: is not changed.
        origin: what errors call it, such as ``Experiment(...)``.
        root: the folder to which paths are relative; the tables are looked for only if it is given.
        overrides: ``key.path=value``, applied in order.

    Raises:
        ConfigError: as `read_config`, without lines.
    """
    return _validated(mapping, Source(origin), root, overrides)


def _validated(value: Any, source: Source, root: Path | None, overrides: Sequence[str]) -> ExperimentConfig:
    if not isinstance(value, Mapping):
        text = f"expected a mapping (key: value), received {received(value)}; the smallest experiment is\n{_SMALLEST}"
        raise source.error([Problem((), text)])
    values = {str(key): _copied(item) for key, item in value.items()}
    _refuse_newer(values, source)
    source = apply(values, overrides, source)
    values = _with_sections(values)
    try:
        config = ExperimentConfig.model_validate(values)
    except ValidationError as error:
        raise source.error(problems(error, values)) from None
    found = [*name_problems(config), *encoding_problems(config), *fold_problems(config), *holdout_problems(config)]
    if root is not None:
        found += [*file_problems(config, root), *feature_problems(config, root)]
    if found:
        raise source.error(found)
    return config


def _with_sections(values: dict[str, Any]) -> dict[str, Any]:
    """Take a section whose lines are all commented out as an empty one."""
    return {key: {} if item is None and section((key,)) is not None else item for key, item in values.items()}


def _copied(item: Any) -> Any:
    """Copy mappings and lists, which overrides change; tuples become lists, so that their entries can be set."""
    if isinstance(item, Mapping):
        return {key: _copied(inner) for key, inner in item.items()}
    return [_copied(inner) for inner in item] if isinstance(item, (list, tuple)) else copy.copy(item)


def _refuse_newer(values: Mapping[str, Any], source: Source) -> None:
    """Say first that a file is newer: its unknown keys are no mistakes."""
    version = values.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        text = f"written for a newer workbench (version {version}; this one reads {VERSION}). Upgrade workbench"
        raise source.error([Problem(("version",), text)])


def _found(path: Path) -> Path:
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if not is_folder:
        if is_file(path):
            return path
        raise ConfigError(f"{path}: there is no such file or folder. {_siblings(path)}")
    if is_file(path / FILE_NAME):
        return path / FILE_NAME
    others = sorted(entry.name for entry in path.iterdir() if entry.suffix in (".yaml", ".yml"))
    held = (
        f"it holds {', '.join(others)}; name one of them"
        if others
        else f"name an experiment's folder, or write one; the smallest one is\n{_SMALLEST}"
    )
    raise ConfigError(f"{path}: the folder has no {FILE_NAME}; {held}")


def _siblings(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        names = []
    hint = nearest(path.name, names).strip()
    return hint or f"Give a folder that holds {FILE_NAME}, or such a file."


def _text(path: Path, source: Source) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise source.error([Problem((), f"the file cannot be read: {error.strerror}")]) from None
    if len(content) > MAX_BYTES:
        raise source.error([Problem((), "the file is larger than 1 MiB; tables belong into files of their own")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"byte 0x{content[error.start]:02x} is not valid UTF-8; save the file as UTF-8"
        raise source.error([Problem((), text, f"line {line}")]) from None
