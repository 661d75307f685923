"""What is drawn: a family, and the problem that its factory is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench import registry
from workbench.config.models import RangeConfig
from workbench.data.building import load_dataset
from workbench.data.folds import make_plan
from workbench.errors import ConfigError
from workbench.evaluation.selection import find_family
from workbench.experiment import Experiment
from workbench.metrics import load_metric
from workbench.models.family import Family
from workbench.models.problem import Problem
from workbench.training.build import use_backend
from workbench.training.material import Material
from workbench.types import Column, FamilyRef, Job, Schema

SMALL_TABLE = Schema(
    columns=(
        *(Column(name=f"x{number}", kind="numeric") for number in range(1, 9)),
        Column(name="city", kind="categorical", size=12),
        Column(name="color", kind="categorical", size=4),
    ),
    target="y",
    task="binary",
    classes=("no", "yes"),
)
"""The table that a family sees where no experiment is named."""
SMALL_ROWS = 1000


@dataclass(frozen=True)
class Subject:
    """A family and what it is built for."""

    family: FamilyRef
    problem: Problem
    origin: str
    """Where the table is from."""
    columns: int
    """Columns that models see, before the preparation."""
    seed: int = 0
    ranges: Mapping[str, RangeConfig] = field(default_factory=dict)
    """What the experiment's ``space`` changes of the factory's ranges."""

    @property
    def table(self) -> str:
        """The table in words."""
        problem = self.problem
        task = {"regression": "regression", "binary": "two classes", "multiclass": f"{len(problem.classes)} classes"}
        return f"{problem.rows:,} rows, {self.columns} columns, {task[problem.task]}, metric {problem.metric}"


def subject_of(family: str, experiment: Experiment | None) -> Subject:
    """Return a family with its problem, and choose the Keras backend of this process.

    Raises:
        ConfigError: there is no such family.
        DataError: the experiment's table cannot be used.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow would write notices of devices above the picture
    if experiment is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
        ref = _family(family)
        inputs = registry.resolve("preparations", ref.preparation)(SMALL_TABLE).inputs
        problem = Problem(SMALL_TABLE.task, "log_loss", SMALL_TABLE.classes, inputs, SMALL_ROWS)
        return Subject(ref, problem, "a small table of numbers and categories", len(SMALL_TABLE.features))
    entry = find_family(experiment.config, family, None)[1]
    ref = experiment.family_ref(entry)
    use_backend(experiment.settings().backend)
    with tempfile.TemporaryDirectory() as folder:
        material = _material(experiment, ref, Path(folder))
        columns, seed = len(material.schema.features), material.seed(0, "fit")
        return Subject(ref, material.problem, experiment.name, columns, seed, entry.space)


def _family(name: str) -> FamilyRef:
    """Return a built-in family, or a factory of a module in the current folder."""
    if ":" in name:
        return FamilyRef(name=name.rpartition(":")[2], factory=name, root=Path.cwd(), code="shown")
    if name not in registry.references("families"):
        hint = "; a family of an experiment needs its folder, a factory is written 'factories:my_model'"
        raise ConfigError(registry.unknown("families", name, hint))
    built_in: Family = registry.resolve("families", name)
    return built_in.ref(name)


def _material(experiment: Experiment, family: FamilyRef, folder: Path) -> Material:
    """Return the data as a job would see it; what feature sets cache goes to ``folder``."""
    config, metric = experiment.config, experiment.metric_ref()
    dataset = load_dataset(config, experiment.root, metric.needs)
    plan = make_plan(dataset, config.folds, config.seed, root=experiment.folds_root, encoding=config.data.encoding)
    job = Job(
        kind="describe",
        job_id="show",
        dataset=folder / "dataset",
        plan=folder / "plan",
        family=family,
        metric=metric,
        settings=experiment.settings(),
        seed=config.seed,
    )
    return Material(job, dataset, plan, load_metric(metric))
