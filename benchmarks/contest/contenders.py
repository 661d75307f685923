"""Who takes part, and how each is run: a process of its own, from scratch, under a stopwatch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contest.ours import Ours
from benchmarks.contest.peers import keras_tuner_folds, optuna_mlflow
from benchmarks.contest.setting import Answer, Setting
from benchmarks.machine import usable_cores
from benchmarks.measurement import Row
from benchmarks.processes import watched

HERE = Path(__file__)
SAMPLE_SECONDS = 0.5
"""Between two looks at the memory: each walks over all processes of the machine, which takes a core's time."""


@dataclass(frozen=True)
class Contender:
    """A way to search. ``run`` is called in the process of its own, under the Keras backend ``keras``."""

    name: str
    title: str
    run: Callable[[Setting], Answer]
    keras: str = "tensorflow"

    @property
    def ours(self) -> bool:
        """Say whether it is the workbench."""
        return isinstance(self.run, Ours)

    def workers(self, cores: int) -> int:
        """Return how many workers there are on so many cores, 0 for a peer."""
        return self.run.workers or cores if isinstance(self.run, Ours) else 0


def _ours() -> tuple[Contender, ...]:
    ways = {
        "tensorflow": ("ours, TensorFlow", Ours(backend="tensorflow", fuse="off")),
        "unfused": ("ours, JAX", Ours(fuse="off")),
        "fused": ("ours, fused, stock Dropout", Ours()),
        "rates": ("ours, fused, our Dropout", Ours(factory="factories:held")),
    }
    return tuple(
        Contender(
            f"{name}_{workers or 'all'}",
            title,
            replace(ours, workers=workers),
            ours.backend,
        )
        for name, (title, ours) in ways.items()
        for workers in (1, None)
    )


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("keras_tuner", "KerasTuner, TensorFlow", keras_tuner_folds),
        Contender("keras_tuner_jax", "KerasTuner, JAX", keras_tuner_folds, "jax"),
        Contender("optuna", "Optuna, MLflow, TensorFlow", optuna_mlflow),
        *_ours(),
    )
}


def measured(contender: Contender, setting: Setting, rows: int, cores: int | None) -> Row:
    """Run a contender in its process, on so many cores; ``rows`` is what the table calls the setting.

    Raises:
        RuntimeError: it failed.
    """
    run = watched(
        [sys.executable, "-m", "benchmarks.contest", contender.name, str(setting.folder)],
        folder=HERE.parents[2],
        cores=cores,
        sample_seconds=SAMPLE_SECONDS,
    )
    answer = Answer.read(setting.folder)
    return Row(
        contender=contender.name,
        title=contender.title,
        workers=contender.workers(cores or len(usable_cores())),
        rows=rows,
        trials=len(answer.scores),
        trials_per_minute=60.0 * len(answer.scores) / answer.search_s,
        search_s=answer.search_s,
        wall_s=run.seconds,
        cpu_s=run.cpu_seconds,
        peak_mb=run.tree_peak_mb,
        score=sum(answer.scores) / len(answer.scores),
        note=answer.note,
    )


def take_part(name: str, folder: Path) -> None:
    """Be the process: search in a contest's folder, and leave the answer there."""
    contender = CONTENDERS[name]
    os.environ["KERAS_BACKEND"] = contender.keras
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    contender.run(Setting.read(folder)).write(folder)
