"""An experiment as Python sees it: a configuration, the folder it belongs to, and where its code lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workbench import registry
from workbench.config import ExperimentConfig, MetricConfig, config_from_mapping, read_config
from workbench.config.feature_names import feature_problem
from workbench.config.models import DEFAULT_FAMILIES, FamilyConfig
from workbench.errors import ConfigError
from workbench.metrics import Metric
from workbench.models.family import Family
from workbench.models.identity import code_identity
from workbench.models.source import write_source
from workbench.store.database import sqlite_url
from workbench.types import ColumnKind, FamilyRef, FeaturesRef, MetricRef, Scalar, Task, TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

    Table = pd.DataFrame | Path | str

    from workbench.evaluation import Comparison


class Experiment:
    """What to predict, and everything about how.

    In a notebook or a script::

        experiment = Experiment(train, target="price", metric="rmse", families=["lightgbm", my_factory])
        result = workbench.run(experiment)

    Tables are DataFrames or paths. A family is a built-in's name, ``'factories:my_model'``, a factory (a function or
    class; one from a notebook cell or a script travels as source), or a mapping as in ``experiment.yaml``. ``features``
    is a name of ``features.py``, or what `workbench.feature_set` marked. A metric is a built-in's name or a
    `workbench.Metric`. ``folds``, ``holdout``, ``search``, ``training``, ``ensemble`` and ``tracking`` are the sections
    of ``experiment.yaml``. Paths are relative to ``root``.

    Raises:
        ConfigError: something is not valid; the message says what, and what was expected.
    """

    def __init__(
        self,
        train: Table,
        *,
        target: str,
        metric: str | Metric | Mapping[str, Any],
        name: str = "experiment",
        test: Table | None = None,
        sample_submission: Table | None = None,
        id: str | None = None,
        group: str | None = None,
        weight: str | None = None,
        time: str | None = None,
        extra: Table | Sequence[Table] = (),
        extra_weight: float | None = None,
        encoding: str | None = None,
        drop: Sequence[str] = (),
        columns: Mapping[str, ColumnKind] | None = None,
        positive: Scalar | None = None,
        task: Task | None = None,
        families: Sequence[str | Mapping[str, Any] | Callable[..., Any]] = DEFAULT_FAMILIES,
        features: str | Callable[..., Any] | None = None,
        folds: Mapping[str, Any] | None = None,
        holdout: float | Mapping[str, Any] | None = None,
        search: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        ensemble: Mapping[str, Any] | None = None,
        tracking: Mapping[str, Any] | None = None,
        root: Path | str = ".",
        store: Path | str = ".workbench",
        ledger: str | None = None,
        seed: int = 0,
    ) -> None:
        self.root = Path(root).resolve()
        self._code: dict[str, Path] = {}
        folder = self.root / store
        tables = {"train": train, "test": test, "sample_submission": sample_submission}
        data = {
            **{key: _as_file(table, folder / "tables", key) for key, table in tables.items()},
            "target": target,
            "id": id,
            "group": group,
            "weight": weight,
            "time": time,
            "extra": [_as_file(table, folder / "tables", "extra") for table in _tables(extra)],
            "extra_weight": extra_weight,
            "encoding": encoding,
            "drop": list(drop),
            "columns": dict(columns or {}),
            "positive": positive,
        }
        sections = {
            "folds": self._folds_entry(folds, folder),
            "holdout": {"share": holdout} if isinstance(holdout, (int, float)) else holdout,
            "search": search,
            "training": training,
            "ensemble": ensemble,
            "tracking": tracking,
        }
        mapping = {
            "name": name,
            "data": {key: value for key, value in data.items() if value is not None},
            "metric": self._metric_entry(metric, folder / "code"),
            "families": [self._family_entry(family, folder / "code") for family in families],
            "store": str(store),
            "seed": seed,
            **({"task": task} if task else {}),
            "features": self._reference(features, folder / "code") if callable(features) else features,
            **({"ledger": ledger} if ledger else {}),
            **{key: dict(section) for key, section in sections.items() if section is not None},
        }
        self.config: ExperimentConfig = config_from_mapping(mapping, "Experiment(...)", root=self.root)

    @classmethod
    def from_folder(cls, folder: Path | str, overrides: Sequence[str] = ()) -> Experiment:
        """Read ``experiment.yaml`` of a folder; ``overrides`` are ``key.path=value``."""
        config, root = read_config(Path(folder), overrides)
        return cls._of(config, root, {})

    @classmethod
    def of(cls, given: Experiment | Path | str) -> Experiment:
        """Return an experiment as it is given, or that of a folder."""
        return given if isinstance(given, Experiment) else cls.from_folder(given)

    @classmethod
    def _of(cls, config: ExperimentConfig, root: Path, code: Mapping[str, Path]) -> Experiment:
        made = cls.__new__(cls)
        made.config, made.root, made._code = config, root, dict(code)
        return made

    def with_options(self, *, store: Path | None = None, seed: int | None = None) -> Experiment:
        """Return this experiment with another store or seed."""
        changes: dict[str, Any] = {"store": store, "seed": seed}
        config = self.config.model_copy(update={key: value for key, value in changes.items() if value is not None})
        return self._of(config, self.root, self._code)

    @property
    def name(self) -> str:
        """The experiment's name; that of its folder, in letters that fit, where the configuration gives none."""
        return self.config.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", self.root.name).strip("-.")[:100] or "experiment"

    @property
    def store(self) -> Path:
        """The folder for everything that sweeps leave behind.

        Raises:
            ConfigError: its path holds characters that MLflow takes for those of a URL.
        """
        store = (self.root / self.config.store).resolve()
        if set("%?") & set(str(store)):
            raise ConfigError(f"the store {store} has a % or ? in its path, which MLflow cannot write to; use --store")
        return store

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.config.ledger or sqlite_url(self.store / "ledger.db")

    def metric_ref(self) -> MetricRef:
        """Return the metric as workers need it."""
        metric = self.config.metric
        if isinstance(metric, MetricConfig):
            return MetricRef(
                name=metric.name or metric.function.rpartition(":")[2],
                function=metric.function,
                root=self._root_of(metric.function),
                code=code_identity(metric.function, self._root_of(metric.function)),
                direction=metric.direction,
                needs=metric.needs,
                monitor=metric.monitor,
            )
        found: Metric = registry.resolve("metrics", metric)
        return MetricRef(name=metric, direction=found.direction, needs=found.needs)

    def family_refs(self) -> tuple[FamilyRef, ...]:
        """Return the families as workers need them, in the configuration's order."""
        return tuple(self.family_ref(entry) for entry in self.config.family_configs)

    def family_ref(self, entry: FamilyConfig) -> FamilyRef:
        """Return a family as workers need it; also one that the configuration does not list."""
        if entry.reference is None:
            built_in: Family = registry.resolve("families", entry.built_in)
            ref = built_in.ref(entry.label)
        else:
            root = self._root_of(entry.reference)
            code = code_identity(entry.reference, root)
            ref = FamilyRef(name=entry.label, factory=entry.reference, root=root, code=code)
        changes = {"preparation": entry.preparation, "features": self._features(entry.features)}
        return ref.model_copy(update={key: value for key, value in changes.items() if value is not None})

    def _features(self, features: str | None) -> FeaturesRef | None:
        """Return a feature set as workers need it: a name of ``features.py``, or ``module:attribute``.

        Raises:
            ConfigError: ``features.py`` has no such set.
        """
        if features is None:
            return None
        reference = features if ":" in features else f"features:{features}"
        root = self._root_of(reference)
        if reference != features and (problem := feature_problem(features, root)):
            raise ConfigError(problem)
        name = reference.rpartition(":")[2]
        return FeaturesRef(name=name, reference=reference, root=root, code=code_identity(reference, root))

    def reference(self, named: str | Callable[..., Any]) -> str:
        """Return a family's or feature set's name, or ``module:attribute`` of a function; one of a cell is written."""
        return named if isinstance(named, str) else self._reference(named, self.store / "code")

    def evaluate(
        self,
        family: str | Callable[..., Any],
        *,
        features: str | Callable[..., Any] | None = None,
        values: Mapping[str, Scalar] | None = None,
        note: str = "",
        against: str | None = None,
        seeds: int = 3,
        **options: Any,
    ) -> Comparison:
        """Evaluate one configuration beside a baseline: better, worse, or noise.

        The same as `workbench.evaluate`, which has the further ``options``.

        ::

            experiment.evaluate("lightgbm", features="v2", note="debt ratios")
        """
        # By its name: an evaluation knows sweeps and searches, and all of those know experiments.
        evaluate = registry.load("workbench.evaluation:evaluate", None)
        given = {"features": features, "values": values, "note": note, "against": against, "seeds": seeds}
        comparison: Comparison = evaluate(self, family, **given, **options)
        return comparison

    def settings(self) -> TrainingSettings:
        """Return how a configuration is trained."""
        own = set(TrainingSettings.model_fields)
        return TrainingSettings(**self.config.training.model_dump(include=own))

    def _root_of(self, reference: str) -> Path:
        return self._code.get(reference, self.root)

    def _family_entry(self, family: str | Mapping[str, Any] | Callable[..., Any], folder: Path) -> Any:
        if isinstance(family, str):
            return family
        if isinstance(family, Mapping):
            return {key: self._reference(value, folder) if callable(value) else value for key, value in family.items()}
        reference = self._reference(family, folder)
        return {"name": reference.rpartition(":")[2], "factory": reference}

    def _metric_entry(self, metric: str | Metric | Mapping[str, Any], folder: Path) -> Any:
        if not isinstance(metric, Metric):
            return metric
        with suppress(ConfigError):
            if registry.resolve("metrics", metric.name) is metric:
                return metric.name
        reference = self._reference(metric.function, folder)
        about = {"name": metric.name, "direction": metric.direction, "needs": metric.needs, "monitor": metric.monitor}
        return {"function": reference, **about}

    @property
    def folds_root(self) -> Path:
        """The folder to which ``folds.function`` and ``folds.file`` belong."""
        function = self.config.folds.function
        return self.root if function is None else self._root_of(function)

    def _folds_entry(self, folds: Mapping[str, Any] | None, folder: Path) -> dict[str, Any] | None:
        """Write a function or a table that is given as a fold plan into files."""
        if folds is None:
            return None
        entry = dict(folds)
        if callable(entry.get("function")):
            entry["function"] = self._reference(entry["function"], folder / "code")
        if entry.get("file") is not None:
            entry["file"] = _as_file(entry["file"], folder / "tables", "folds")
        return entry

    def _reference(self, function: Callable[..., Any], folder: Path) -> str:
        reference, root = write_source(function, folder)
        if root is not None:
            self._code[reference] = root
        return reference


def _tables(extra: Table | Sequence[Table]) -> Sequence[Table]:
    return extra if isinstance(extra, (list, tuple)) else [cast("Table", extra)]


def _as_file(table: Table | None, folder: Path, key: str) -> str | None:
    """Return the path of a table; a DataFrame is written to a file that is named by its content."""
    if table is None or isinstance(table, (str, Path)):
        return None if table is None else str(table)
    from workbench.data.frames import write_frame

    return str(write_frame(table, folder, key))
