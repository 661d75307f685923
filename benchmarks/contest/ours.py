"""The contest as an experiment of the workbench, and a search of the list's values by its driver."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.contest.setting import BATCH, EPOCHS, SPLITS, Answer, Setting
from benchmarks.searches import described, opened, search
from workbench.execution.local import LocalExecutor
from workbench.search.engine import Outcome, Suggestion
from workbench.types import Backend, Fuse, Job, Space, TrialResult
from workbench.workspace import Workspace

CONFIG = """\
name: contest
data: {{train: train.parquet, target: y, positive: 1, columns: {columns}, drop: {drop}}}
metric: log_loss
families: [{family}]
folds: {folds}
search: {{trials: {trials}}}
training:
  {{epochs: {epochs}, patience: {epochs}, batch_size: {batch}, backend: {backend}, workers: {workers}, fuse: {fuse}}}
"""


@dataclass(frozen=True)
class Ours:
    """How the workbench takes part."""

    factory: str = "factories:stock"
    """A function of ``network.py``, or a built-in's name."""
    backend: Backend = "jax"
    fuse: Fuse = "auto"
    workers: int | None = 1
    """``None``: one for each core."""

    @property
    def family(self) -> str:
        """The family as ``experiment.yaml`` has it; the matrix is taken as it is."""
        if ":" not in self.factory:
            return self.factory
        return f'{{name: network, factory: "{self.factory}", preparation: native}}'

    def __call__(self, setting: Setting) -> Answer:
        """Search the list; the clock runs from before a worker is started."""
        with experiment(setting, self) as (workspace, template):
            began = time.perf_counter()
            executor = LocalExecutor(workspace.executor_options())
            try:
                space = described(executor, template)
                moments, _ = search(workspace, template, space, executor, len(setting.values), Listed(setting), "none")
            finally:
                executor.close()
            trials = workspace.ledger.trials(workspace.studies[0].id)
        for trial in trials:
            if trial.result is None:
                raise RuntimeError(f"{trial.name}: expected a complete trial, it is {trial.state}: {trial.failure}")
        results = [trial.result for trial in trials if trial.result is not None]
        ways = Counter(map(self._way, results))
        return Answer(
            search_s=max(moments.ended) - began,
            scores=tuple(result.score for result in results),
            note=", ".join(f"{way} ({count})" if len(ways) > 1 else way for way, count in ways.items()),
        )

    def _way(self, result: TrialResult) -> str:
        """Return how the splits trained, and why in turn where that was not asked for."""
        return "in turn" if self.fuse == "off" else result.fused or result.unfused


class Listed:
    """The engine that suggests the list's values; the first of them are the factory's defaults."""

    def __init__(self, setting: Setting) -> None:
        """Take the list."""
        self._values = setting.values

    def ask(self, number: int, space: Space) -> Suggestion | None:  # noqa: ARG002 - the contract's signature
        """Return the values of this number."""
        return Suggestion(dict(self._values[number])) if number < len(self._values) else None

    def tell(self, number: int, outcome: Outcome, space: Space) -> None:
        """Learn nothing."""


def _folds(repeats: int) -> str:
    """Return the section of ``experiment.yaml``: the contest's folds, or as many of the workbench's own a repeat."""
    if repeats == 1:
        return "{column: fold}"
    return f"{{kind: stratified, splits: {SPLITS}, repeats: {repeats}}}"


@contextmanager
def experiment(setting: Setting, ours: Ours) -> Iterator[tuple[Workspace, Job]]:
    """Write the experiment beside the contest's data, and yield it open, with a job that lacks its values."""
    folder = setting.folder / "experiment"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("network.py"), folder / "factories.py")
    x, y, fold = setting.arrays
    names = [f"x{column}" for column in range(x.shape[1])]
    pd.DataFrame(x, columns=names).assign(y=y, fold=fold).to_parquet(folder / "train.parquet")
    config = CONFIG.format(
        columns=dict.fromkeys(names, "numeric"),
        family=ours.family,
        folds=_folds(setting.repeats),
        drop=[] if setting.repeats == 1 else ["fold"],
        trials=len(setting.values),
        epochs=EPOCHS,
        batch=BATCH,
        backend=ours.backend,
        workers=ours.workers or "auto",
        fuse="'off'" if ours.fuse == "off" else ours.fuse,
    )
    (folder / "experiment.yaml").write_text(config, "utf-8")
    with opened(folder) as found:
        yield found
