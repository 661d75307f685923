"""What one warm worker takes: until the first step of training, beside the work itself, and of memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.contest.ours import Ours, experiment
from benchmarks.contest.setting import Setting, write
from benchmarks.measurement import Measurement
from benchmarks.processes import bound_to, watched
from benchmarks.searches import described
from benchmarks.warm import Trained, trained
from workbench.execution.local import LocalExecutor
from workbench.types import Values

ROOT = Path(__file__).parents[2]
WARM = 2
"""Trials until everything is compiled: the first one compiles, the second shows that it was kept."""


def setup(folder: Path, name: str, title: str, ours: Ours, trials: int) -> Measurement:
    """Measure milliseconds from a job's arrival to the first step, from the second trial of an architecture on."""
    results = [each.result for each in _same_architecture(write(folder, 1000, 1), ours, trials)]
    return Measurement(
        name=name,
        title=title,
        repeats=tuple(1000.0 * result.setup_s for result in results[1:]),
        unit="ms",
        note=f"the first one {1000.0 * results[0].setup_s:.0f} ms",
    )


def own_cost(folder: Path, rows: int, trials: int) -> Iterator[Measurement]:
    """Yield seconds a trial by hand and by the workbench, on one core, and what the latter takes more, in per cent.

    The workbench's are what a search takes of a worker: predictions and models are stored too.
    """
    setting = write(folder, rows, 1)
    hand = _by_hand(setting, trials)
    with bound_to(1):
        ours = [each.seconds for each in _same_architecture(setting, Ours(fuse="map"), trials)]
    hand += _by_hand(setting, trials)  # before and after: a machine's speed drifts
    yield Measurement(name="by_hand_s", title="a trial by hand, one core", repeats=tuple(hand))
    yield Measurement(name="by_workbench_s", title="a trial by the workbench, one core", repeats=tuple(ours[WARM:]))
    cost = 100.0 * (median(ours[WARM:]) / median(hand) - 1.0)
    yield Measurement(name="own_cost_percent", title="  the workbench's own cost", repeats=(cost,), unit="%")


def _by_hand(setting: Setting, trials: int) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.contest.hand_written", str(setting.folder), str(trials)]
    run = watched(command, folder=ROOT, cores=1)
    return [float(line.split()[0]) for _, line in run.lines][WARM:]


def _same_architecture(setting: Setting, ours: Ours, trials: int) -> Sequence[Trained]:
    """Train configurations that differ in their rates alone."""
    with experiment(setting, replace(ours, workers=1)) as (workspace, template):
        executor = LocalExecutor(workspace.executor_options())
        try:
            defaults = described(executor, template).defaults()
            return list(trained(executor, template, [_other_rates(defaults, number) for number in range(trials)]))
        finally:
            executor.close()


def _other_rates(defaults: Values, number: int) -> Values:
    rng = np.random.default_rng(number)
    rates = {"lr": float(10.0 ** rng.uniform(-3.0, -2.0)), "dropout": float(rng.uniform(0.05, 0.4))}
    return {**defaults, **rates}
