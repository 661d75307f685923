"""What the search benchmark runs: an experiment with a small network, a driver's loop, and one without a driver."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from workbench.execution.contract import Executor, ExecutorOptions
from workbench.execution.local import LocalExecutor
from workbench.experiment import Experiment
from workbench.search.describe import describe
from workbench.search.driver import Driver
from workbench.search.engine import Engine, EngineOptions, Suggestion
from workbench.search.lane import Lane
from workbench.search.progress import Silent, TrialNews
from workbench.search.pruning import PrunerOptions, make_pruner
from workbench.search.random_engine import RandomEngine
from workbench.types import Finished, Job, Reported, Space, TrialResult, Values, WorkerEvent
from workbench.workspace import Workspace, open_workspace

HERE = Path(__file__).resolve().parent
SPLITS, EPOCHS = 3, 10
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NPROC": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
"""How a process is bound to one core's worth of threads: OpenMP's, and XLA's pools."""

CONFIG = f"""\
name: search-benchmark
data: {{train: train.csv, test: test.csv, target: malignant, id: id}}
metric: log_loss
families: [{{name: small, factory: "factories:build"}}]
folds: {{splits: {SPLITS}}}
search: {{trials: 1}}
training: {{epochs: {EPOCHS}, patience: {EPOCHS}}}
"""


def make_experiment(folder: Path) -> Path:
    """Write the experiment into an empty folder, which is returned."""
    folder.mkdir(parents=True)
    shutil.copy(HERE.parent / "experiments" / "breast_cancer" / "make_data.py", folder)
    shutil.copy(HERE / "small_mlp.py", folder / "factories.py")
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True)
    (folder / "experiment.yaml").write_text(CONFIG, "utf-8")
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Workspace, Job]]:
    """Open the experiment, and yield it with a job that lacks its values."""
    with open_workspace(Experiment.from_folder(folder)) as workspace:
        yield workspace, workspace.job(workspace.families[0])


class TimedEngine:
    """Random search that knows how long it was asked."""

    def __init__(self, seed: int) -> None:
        """Begin at 0 seconds."""
        self.seconds = 0.0
        self._engine = RandomEngine(EngineOptions("minimize", seed))

    def ask(self, number: int, space: Space) -> Suggestion | None:
        """Ask, with a stopwatch."""
        began = time.perf_counter()
        try:
            return self._engine.ask(number, space)
        finally:
            self.seconds += time.perf_counter() - began

    tell = RandomEngine.tell


@dataclass
class Moments(Silent):
    """An observer that notes when each trial ended, and what became of it."""

    ended: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def trial(self, news: TrialNews) -> None:
        """Note the moment."""
        self.ended.append(time.perf_counter())
        self.states.append(news.state)


def search(
    workspace: Workspace, template: Job, space: Space, executor: Executor, total: int, engine: Engine, pruner: str
) -> tuple[Moments, float]:
    """Run a driver until there are ``total`` trials; return when they ended, and the seconds of restoring what was."""
    study = workspace.studies[0]
    lane = Lane(
        study=study,
        space=space,
        engine=engine,
        ground=workspace.ground,
        template=template,
        total=total,
        direction="minimize",
        pruner=make_pruner(PrunerOptions(pruner, "minimize")),
    )
    began = time.perf_counter()
    lane.restore(workspace.ledger.trials(study.id), workspace.ledger.reports)
    restored = time.perf_counter() - began
    moments = Moments()
    sweep = workspace.ledger.open_sweep(workspace.experiment.name)
    Driver(workspace.ledger, executor, sweep, [lane], moments).run()
    return moments, restored


def local_executor(folder: Path, workers: int) -> LocalExecutor:
    """Return an executor with so many workers, which nothing recycles."""
    return LocalExecutor(ExecutorOptions(logs=folder / "logs", workers=workers, worker_memory=8000))


def described(executor: Executor, template: Job) -> Space:
    """Return the space of the job's family."""
    return describe(executor, template.model_copy(update={"kind": "describe", "job_id": "describe"})).space


class InstantExecutor:
    """Answers each job at once, with every epoch's report and a result: what is left is the driver's own work."""

    capacity = 4
    devices = "none"

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._events: list[WorkerEvent] = []

    @property
    def busy(self) -> bool:
        """Say that nothing is ever under way."""
        return False

    def submit(self, job: Job) -> None:
        """Have the answers ready."""
        for split in range(SPLITS):
            for epoch in range(1, EPOCHS + 1):
                self._events.append(Reported(job_id=job.job_id, split=split, epoch=epoch, value=1.0, loss=1.0))
        result = TrialResult(
            score=1.0,
            score_se=0.1,
            scores=(1.0,) * SPLITS,
            values=job.values,
            best_epochs=(EPOCHS,) * SPLITS,
            epochs=(EPOCHS,) * SPLITS,
            fit_key=job.fit_key,
        )
        self._events.append(Finished(job_id=job.job_id, result=result))

    def events(self, timeout: float) -> Iterator[WorkerEvent]:  # noqa: ARG002 - the contract's signature
        """Yield the answers."""
        events, self._events = self._events, []
        yield from events

    def stop(self, job_id: str) -> None:
        """Do nothing: every job has ended."""

    def close(self) -> None:
        """Do nothing."""


def copies(template: Job, values: Sequence[Values], folder: Path, count: int) -> list[float]:
    """Train the values in so many processes that know nothing of each other; return when trials ended.

    They take the next values from a pipe when they are free, so that none is left with the longest ones.
    """
    context = multiprocessing.get_context("spawn")
    todo: SimpleQueue[str | None] = context.SimpleQueue()
    done: SimpleQueue[float] = context.SimpleQueue()
    processes = [context.Process(target=_copy, args=(todo, done), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    for number, each in enumerate(values):
        # Each has a fit key, and so a place in a vault, of its own: storing what was predicted is part of the loop.
        update = {"job_id": str(number), "values": each, "fit_key": f"{number:016x}", "vault": folder / "vault"}
        todo.put(template.model_copy(update=update).model_dump_json())
    for _ in processes:
        todo.put(None)
    ended = [done.get() for _ in values]
    for process in processes:
        process.join()
    return ended


def _copy(todo: SimpleQueue[str | None], done: SimpleQueue[float]) -> None:
    """Be one of the copies: `workbench.training.runner.run` over what is there to do, in one thread."""
    os.environ.update(ONE_THREAD)
    from workbench.training.runner import run

    while (text := todo.get()) is not None:
        run(Job.model_validate_json(text), lambda _: False)
        done.put(time.perf_counter())
