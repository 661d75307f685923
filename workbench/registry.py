"""Names to objects: built-ins by a table, more by entry points, a user's own by ``module:attribute``.

Nothing heavy is imported until a name is resolved.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from workbench.errors import ConfigError, FactoryError, nearest
from workbench.synonyms import suggestion

Group = Literal["families", "metrics", "engines", "executors", "ensembles", "preparations"]

BUILT_INS: dict[Group, dict[str, str]] = {
    "families": {
        "dummy": "workbench.models.dummy:FAMILY",
        "lightgbm": "workbench.models.lightgbm:FAMILY",
        "xgboost": "workbench.models.xgboost:FAMILY",
        "mlp": "workbench.models.mlp:FAMILY",
        "wide_and_deep": "workbench.models.wide_and_deep:FAMILY",
        "random_forest": "workbench.models.forests:RANDOM_FOREST",
        "extra_trees": "workbench.models.forests:EXTRA_TREES",
        "linear": "workbench.models.linear:FAMILY",
        "knn": "workbench.models.knn:FAMILY",
        "catboost": "workbench.models.catboost:FAMILY",
    },
    "metrics": {
        "auc": "workbench.metrics:AUC",
        "log_loss": "workbench.metrics:LOG_LOSS",
        "accuracy": "workbench.metrics:ACCURACY",
        "balanced_accuracy": "workbench.metrics:BALANCED_ACCURACY",
        "f1": "workbench.metrics:F1",
        "f1_macro": "workbench.metrics:F1_MACRO",
        "average_precision": "workbench.metrics:AVERAGE_PRECISION",
        "mcc": "workbench.metrics:MCC",
        "qwk": "workbench.metrics:QWK",
        "map_at_<K>": "workbench.metrics:map_at",
        "rmse": "workbench.metrics:RMSE",
        "rmsle": "workbench.metrics:RMSLE",
        "mae": "workbench.metrics:MAE",
        "medae": "workbench.metrics:MEDAE",
        "mape": "workbench.metrics:MAPE",
        "smape": "workbench.metrics:SMAPE",
        "r2": "workbench.metrics:R2",
        "pinball_<Q>": "workbench.metrics:pinball",
    },
    "engines": {
        "optuna": "workbench.search.samplers:make_engine",
        "keras_tuner": "workbench.search.keras_tuner_engine:KerasTunerEngine",
        "random": "workbench.search.random_engine:RandomEngine",
    },
    "executors": {
        "local": "workbench.execution.local:LocalExecutor",
        "inline": "workbench.execution.inline:InlineExecutor",
    },
    "ensembles": {
        "mean": "workbench.ensembles.averages:Mean",
        "geometric_mean": "workbench.ensembles.averages:GeometricMean",
        "rank_average": "workbench.ensembles.averages:RankAverage",
        "convex": "workbench.ensembles.convex:Convex",
        "greedy": "workbench.ensembles.greedy:Greedy",
        "hill_climbing": "workbench.ensembles.hill_climbing:HillClimbing",
        "nelder_mead": "workbench.ensembles.nelder_mead:NelderMead",
        "stacking": "workbench.ensembles.stacking:Stacking",
    },
    "preparations": {
        "scaled": "workbench.data.preparation:ScaledPreparation",
        "native": "workbench.data.preparation:NativePreparation",
        "one_hot": "workbench.data.preparation:OneHotPreparation",
        "ordinal": "workbench.data.preparation:OrdinalPreparation",
        "quantile": "workbench.data.preparation:QuantilePreparation",
        "target": "workbench.data.preparation:TargetPreparation",
    },
}


@cache
def references(group: Group) -> dict[str, str]:
    """Return ``name → module:attribute`` of a group: the built-ins and the entry points of ``workbench.<group>``."""
    found = dict(BUILT_INS[group])
    for point in entry_points(group=f"workbench.{group}"):
        found.setdefault(point.name, point.value)
    return found


def resolve(group: Group, name: str) -> Any:
    """Return the object registered under ``name``.

    An entry such as ``pinball_<Q>`` stands for every name that begins so: its object is a function, which is given the
    rest of the name as text and returns what ``pinball_0.9`` is.

    Raises:
        ConfigError: there is no such name, or the function does not take the rest of it.
    """
    known = references(group)
    if name in known and not name.endswith(">"):
        return load(known[name], None)
    for pattern in known:
        stem, place, _ = pattern.partition("<")
        if place and name.startswith(stem):
            return load(known[pattern], None)(name.removeprefix(stem))
    raise ConfigError(unknown(group, name))


def unknown(group: Group, name: str, hint: str = "") -> str:
    """Return what to say about a name that a group does not have; ``hint`` follows the names that it has."""
    kind = {"families": "family"}.get(group, group.removesuffix("s"))
    shown = repr(name if len(name) <= 60 else f"{name[:59]}…")
    known = references(group)
    return f"no {kind} is called {shown}; there are {', '.join(known)}{hint}.{suggestion(name, known)}"


def load(reference: str, root: Path | None) -> Any:
    """Import ``module:attribute``; a module of a user's is looked for in the folder ``root`` first.

    A user's module is executed once per process and file; its own imports of neighbouring files work.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"'{reference}': expected 'module:attribute', such as 'factories:my_model'")
    module = _user_module(root, module_name) if root is not None else _import(module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        names = [name for name in vars(module) if not name.startswith("_")]
        raise FactoryError(f"{module.__file__} has no '{attribute}'.{nearest(attribute, names)}") from None


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise FactoryError(f"cannot import '{name}': {error}") from error


def _user_module(root: Path, name: str) -> ModuleType:
    path = (root / Path(*name.split("."))).with_suffix(".py").resolve()
    if not path.is_file():
        try:
            return _import(name)
        except FactoryError:
            present = ", ".join(sorted(p.name for p in root.glob("*.py"))) or "no Python files"
            raise FactoryError(f"no module '{name}': {path} does not exist (the folder holds {present})") from None
    return _executed(path, root.resolve(), _stamp(root))


@cache
def _executed(path: Path, root: Path, _stamp_of_root: tuple[tuple[str, int], ...]) -> ModuleType:
    """Execute a module; again when any Python file beside it has changed."""
    _forget_neighbours(root)
    name = f"workbench_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FactoryError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _on_path(root):
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            sys.modules.pop(name, None)
            lines = "".join(traceback.format_exception(error)[-2:])
            raise FactoryError(f"{path} cannot be imported: {type(error).__name__}: {error}\n{lines}") from error
    _roots.add(root)
    return module


_roots: set[Path] = set()
"""Folders of which modules were executed."""


def _stamp(root: Path) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((str(file), file.stat().st_mtime_ns) for file in root.glob("*.py")))


def _forget_neighbours(root: Path) -> None:
    """Drop what user modules imported from their folders under plain names: ``blocks`` here is not ``blocks`` there."""
    folders = tuple(f"{folder}{os.sep}" for folder in {*_roots, root})
    for name, module in list(sys.modules.items()):
        top, file = name.partition(".")[0], str(getattr(module, "__file__", None))
        if top != __package__ and file.startswith(folders) and _lies_in(file, top, folders):
            del sys.modules[name]
    importlib.invalidate_caches()


def _lies_in(file: str, top: str, folders: tuple[str, ...]) -> bool:
    """Say whether a module is a folder's own: not what is installed in an environment that lies in the same folder.

    Text, not paths: thousands of modules are looked at whenever one is executed.
    """
    return any(file == f"{folder}{top}.py" or file.startswith(f"{folder}{top}{os.sep}") for folder in folders)


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Put the folder first while its module is executed, and last from then on, for imports inside functions."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
