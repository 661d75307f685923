"""What a search costs beside the training: how much of the cores it uses, the driver's own work, memory that leaks.

Trials per minute are counted between the first trials, one a worker, which are slow while libraries load, and the last,
where workers run out of work. The copies that a search is compared with are processes that train the same
configurations on the same folds, one thread each, without ledger, pruner or driver.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import Benchmark, main
from benchmarks.machine import usable_cores
from benchmarks.measurement import Measurement, Target
from benchmarks.processes import bound_to, workbench
from benchmarks.searches import (
    InstantExecutor,
    TimedEngine,
    copies,
    described,
    local_executor,
    make_experiment,
    opened,
    search,
)
from benchmarks.warm import growth
from workbench.experiment import Experiment
from workbench.search.engine import EngineOptions
from workbench.search.random_engine import RandomEngine
from workbench.store.ledger import Ledger
from workbench.types import Job, Space
from workbench.workspace import Workspace

TARGETS = (
    Target(measurement="scaling", limit=0.8, bound="above"),
    Target(measurement="driver_ms", limit=30.0),
    Target(measurement="driver_10000_ms", limit=60.0, quick=False),
    Target(measurement="worker_growth_mb", limit=50.0, quick=False),
)
POLL_SECONDS = 0.1
WARM = 20
"""Trials until the driver has imported what it needs."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Yield everything."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        yield _first_epoch(make_experiment(folder / "first"))
        yield from _scaling(folder, each=6 if quick else 16)
        yield from _driver(make_experiment(folder / "driver"), known=1000 if quick else 10_000)
        yield _growth(make_experiment(folder / "growth"), trials=40 if quick else 300)


# --- start-up --------------------------------------------------------------------------------------------------------


def _first_epoch(folder: Path) -> Measurement:
    """Watch the ledger of a run until an epoch is in it."""
    ledger = Ledger.open(Experiment.from_folder(folder).ledger_url)
    began = time.perf_counter()
    run = subprocess.Popen([workbench(), "run", "."], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not ledger.reports(1):
            if run.poll() is not None:
                raise RuntimeError(f"workbench run ended without an epoch, see {folder}")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - began
    finally:
        run.terminate()
        run.wait()
        ledger.close()
    return Measurement(
        name="first_epoch_s", title="run to first epoch", repeats=(seconds,), note="as the ledger sees it"
    )


# --- throughput ------------------------------------------------------------------------------------------------------


def _scaling(folder: Path, each: int) -> Iterator[Measurement]:
    """Yield trials per minute with ``each`` trials a worker, and two more that do not count."""
    cores = len(usable_cores())
    one = _searched(make_experiment(folder / "one"), 1, each)
    yield _rate("one_worker", "1 worker, 1 core", one, 1)
    many = _searched(make_experiment(folder / "many"), cores, each)
    together = _rate("workers", f"{cores} workers, {cores} cores", many, cores)
    yield together
    alone = _rate("copies", f"{cores} copies without driver", _copied(folder, cores, each), cores)
    yield alone
    yield Measurement(
        name="scaling", title="  workers / copies", repeats=(together.value / alone.value,), unit="", note="in this run"
    )


def _searched(folder: Path, workers: int, each: int) -> list[float]:
    with opened(folder) as (workspace, template), bound_to(workers):
        executor = local_executor(folder, workers)
        try:
            space = described(executor, template)
            engine = RandomEngine(EngineOptions("minimize", seed=0))
            moments, _ = search(workspace, template, space, executor, workers * (each + 2), engine, "none")
        finally:
            executor.close()
    if set(moments.states) != {"complete"}:
        raise RuntimeError(f"expected complete trials, got {moments.states}")
    return moments.ended


def _copied(folder: Path, count: int, each: int) -> list[float]:
    """Train what the search on all cores tried."""
    with opened(folder / "many") as (workspace, template):
        values = [trial.values for trial in workspace.ledger.trials(workspace.studies[0].id)]
        return copies(template, values[: count * (each + 2)], folder / "copies", count)


def _rate(name: str, title: str, ended: Sequence[float], workers: int) -> Measurement:
    counted = sorted(ended)[workers - 1 : len(ended) - workers]
    rate = 60.0 * (len(counted) - 1) / (counted[-1] - counted[0])
    return Measurement(
        name=f"{name}_per_minute", title=title, repeats=(rate,), unit="/min", note=f"{len(counted) - 1} trials"
    )


# --- the driver's own work -------------------------------------------------------------------------------------------


def _driver(folder: Path, known: int, trials: int = 200) -> Iterator[Measurement]:
    """Yield milliseconds a trial in a ledger that is as good as empty, and in one with ``known`` trials."""
    with opened(folder) as (workspace, template):
        executor = local_executor(folder, 1)
        try:
            space = described(executor, template)
        finally:
            executor.close()

        def cost(until: int) -> tuple[Measurement, float]:
            return _cost(workspace, template, space, until)

        cost(WARM)
        empty, _ = cost(WARM + trials)
        yield empty.model_copy(update={"name": "driver_ms", "title": "driver's own work, a trial"})
        cost(known)
        full, restored = cost(known + trials)
        yield full.model_copy(update={"name": f"driver_{known}_ms", "title": f"  after {known:,} trials"})
        yield Measurement(name=f"restore_{known}_s", title=f"  taking {known:,} up again", repeats=(restored,))


def _cost(workspace: Workspace, template: Job, space: Space, until: int) -> tuple[Measurement, float]:
    """Run the driver on nothing; return milliseconds a trial beside ``ask``, and the seconds of restoring what was."""
    engine = TimedEngine(seed=0)
    began, worked = time.perf_counter(), time.process_time()
    moments, restored = search(workspace, template, space, InstantExecutor(), until, engine, "wilcoxon")
    scale = 1000.0 / len(moments.ended)
    wall = scale * (time.perf_counter() - began - restored - engine.seconds)
    own = scale * (time.process_time() - worked - restored - engine.seconds)
    found = Measurement(name="", title="", repeats=(wall,), unit="ms", note=f"{own:.0f} ms of them on a core")
    return found, restored


# --- memory ----------------------------------------------------------------------------------------------------------


def _growth(folder: Path, trials: int) -> Measurement:
    name = "worker_growth_mb" if trials == 300 else f"worker_growth_{trials}_mb"
    return growth(folder, trials).model_copy(update={"name": name})


if __name__ == "__main__":
    sys.exit(main(Benchmark("search", "Search", measure, TARGETS)))
