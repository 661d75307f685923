"""What the models cannot see: names that the registry does not know, references, and files that are absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from workbench import registry
from workbench.config.feature_names import feature_problem
from workbench.config.models import NO_FEATURES, ExperimentConfig, FamilyConfig, MetricConfig
from workbench.config.source import KeyPath, Problem, shortened
from workbench.errors import ConfigError, nearest

AUTO = "auto"
"""Stands for the best of all ensemble methods."""

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def name_problems(config: ExperimentConfig) -> Iterator[Problem]:
    """Yield a problem for each metric, family, preparation, engine, executor and ensemble that does not exist."""
    yield from _metric(config.metric)
    for position, (entry, family) in enumerate(zip(config.families, config.family_configs, strict=True)):
        path: KeyPath = ("families", position)
        yield from _family(family, path, mapping=isinstance(entry, FamilyConfig))
    yield from _registered("engines", config.search.engine, ("search", "engine"))
    yield from _registered("executors", config.training.executor, ("training", "executor"))
    if config.ensemble.method_name != AUTO:
        hint = f"; '{AUTO}' takes the simplest that is as good as the best"
        yield from _registered("ensembles", config.ensemble.method_name, ("ensemble", "method"), hint)
    if config.folds.function is not None:
        yield from _reference(config.folds.function, ("folds", "function"))


def file_problems(config: ExperimentConfig, root: Path) -> Iterator[Problem]:
    """Yield a problem for each table that is not there; relative paths start at ``root``."""
    for key in ("train", "test", "sample_submission"):
        path = getattr(config.data, key)
        if path is not None and not is_file(root / path):
            yield Problem(("data", key), _absent(root / path, root))
    for position, path in enumerate(config.data.extra):
        if not is_file(root / path):
            yield Problem(("data", "extra", position), _absent(root / path, root))
    if config.folds.file is not None and not is_file(root / config.folds.file):
        yield Problem(("folds", "file"), _absent(root / config.folds.file, root))


def feature_problems(config: ExperimentConfig, root: Path) -> Iterator[Problem]:
    """Yield a problem for each feature set that the folder ``root`` does not have."""
    if config.features not in (None, NO_FEATURES):
        yield from _features(str(config.features), root, ("features",))
    for position, entry in enumerate(config.families):
        if isinstance(entry, FamilyConfig) and entry.features not in (None, NO_FEATURES):
            yield from _features(str(entry.features), root, ("families", position, "features"))


def _features(features: str, root: Path, path: KeyPath) -> Iterator[Problem]:
    if ":" in features:
        yield from _reference(features, path)
    elif (text := feature_problem(features, root)) is not None:
        yield Problem(path, text)


def is_file(path: Path) -> bool:
    """Say whether ``path`` is a file, and no for every path that the system refuses to look at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _metric(metric: str | MetricConfig) -> Iterator[Problem]:
    if isinstance(metric, MetricConfig):
        yield from _reference(metric.function, ("metric", "function"))
    elif ":" in metric:
        advice = f"{{function: {metric}, direction: maximize}}" if len(metric) < 60 else "a mapping"
        text = f"a function of your own needs its direction; write metric: {advice} (or minimize)"
        yield Problem(("metric",), text)
    else:
        try:
            registry.resolve("metrics", metric)
        except ConfigError as error:
            yield Problem(("metric",), str(error).removesuffix("."))


def _family(family: FamilyConfig, path: KeyPath, *, mapping: bool) -> Iterator[Problem]:
    if family.reference is not None:
        yield from _reference(family.reference, (*path, "factory") if mapping else path)
    else:
        hint = "; a factory of your own is written 'factories:my_model'"
        key = "name" if family.factory is None else "factory"
        yield from _registered("families", family.built_in, (*path, key) if mapping else path, hint)
    if family.preparation is not None:
        yield from _registered("preparations", family.preparation, (*path, "preparation"))


def _registered(group: registry.Group, name: str, path: KeyPath, hint: str = "") -> Iterator[Problem]:
    if name not in registry.references(group):
        yield Problem(path, registry.unknown(group, name, hint).removesuffix("."))


def _reference(reference: str, path: KeyPath) -> Iterator[Problem]:
    if not _REFERENCE.fullmatch(reference):
        text = f"expected 'module:attribute', such as 'factories:my_model', received {shortened(reference)}"
        yield Problem(path, text)


def _absent(path: Path, root: Path) -> str:
    absent = f"there is no file {str(path)!r}"
    if (makers := sorted(root.glob("make_*.py"))) and path.parent == root:
        return f"{absent}. Run 'python {makers[0]}', which writes the tables"
    present = _tables(path.parent)
    listed = f"the folder holds {', '.join(present[:10])}" if present else "the folder holds no tables"
    return f"{absent}; {listed}.{nearest(path.name, present)}".removesuffix(".")


def _tables(folder: Path) -> list[str]:
    suffixes = (".csv", ".csv.gz", ".tsv", ".parquet")
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(suffixes))
    except (OSError, ValueError):
        return []
