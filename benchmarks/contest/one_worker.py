"""What one warm worker takes: until the first step of training, beside the work itself, and of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.contest.ours import Ours, experiment
from benchmarks.contest.setting import Setting, write
from benchmarks.measurement import Measurement
from benchmarks.processes import bound_to
from benchmarks.searches import described
from benchmarks.warm import Trained, trained
from workbench.execution.local import LocalExecutor
from workbench.types import Values

ROOT = Path(__file__).parents[2]
Clocks = tuple[float, float]
"""Seconds, and seconds on a core."""
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

    They take turns, as a machine's speed drifts. The workbench's seconds are what a search takes of a worker:
    predictions and models are stored too. Those on a core tell what is the machine's doing, where others use it.
    """
    setting = write(folder, rows, 1)
    hand, ours = [], []
    with bound_to(1), _by_hand(setting) as by_hand:
        for each in _same_architecture(setting, Ours(fuse="map"), trials):
            ours.append((each.seconds, each.cpu_seconds))
            hand.append(by_hand())
    hand, ours = hand[WARM:], ours[WARM:]
    yield _seconds("by_hand", "a trial by hand, one core", hand)
    yield _seconds("by_workbench", "a trial by the workbench, one core", ours)
    wall, cpu = (100.0 * (_median(ours, clock) / _median(hand, clock) - 1.0) for clock in (0, 1))
    yield Measurement(name="own_cost_percent", title="  the workbench's own cost", repeats=(wall,), unit="%")
    yield Measurement(name="own_cost_cpu_percent", title="  the same on a core", repeats=(cpu,), unit="%")


def _seconds(name: str, title: str, found: Sequence[Clocks]) -> Measurement:
    return Measurement(
        name=f"{name}_s",
        title=title,
        repeats=tuple(wall for wall, _ in found),
        note=f"{_median(found, 1):.3g} s of them on a core",
    )


def _median(found: Sequence[Clocks], clock: int) -> float:
    return median(each[clock] for each in found)


@contextmanager
def _by_hand(setting: Setting) -> Iterator[Callable[[], Clocks]]:
    """Yield a function that trains a trial by hand, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.contest.hand_written", str(setting.folder)]
    # As many threads as the workbench's worker has on one core.
    environment = {**os.environ, "NPROC": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    with process:
        send, answers = process.stdin, process.stdout
        if send is None or answers is None:
            raise RuntimeError("a process was started without pipes")

        def once() -> Clocks:
            send.write("\n")
            send.flush()
            wall, cpu, _ = (float(word) for word in answers.readline().split())
            return wall, cpu

        yield once
        send.close()


def _same_architecture(setting: Setting, ours: Ours, trials: int) -> Iterator[Trained]:
    """Train configurations that differ in their rates alone."""
    with experiment(setting, replace(ours, workers=1)) as (workspace, template):
        executor = LocalExecutor(workspace.executor_options())
        try:
            defaults = described(executor, template).defaults()
            values = [_other_rates(defaults, number) for number in range(trials)]
            yield from trained(executor, template, values)
        finally:
            executor.close()


def _other_rates(defaults: Values, number: int) -> Values:
    rng = np.random.default_rng(number)
    rates = {"lr": float(10.0 ** rng.uniform(-3.0, -2.0)), "dropout": float(rng.uniform(0.05, 0.4))}
    return {**defaults, **rates}
