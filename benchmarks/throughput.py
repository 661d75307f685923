"""Trials a minute of a cross-validated search: KerasTuner, Optuna with MLflow, and ours, on the same work.

The contest is in ``benchmarks/contest``. Beside it: how soon a worker trains, what it holds after 500 trials, and what
the workbench takes more than a program that was written by hand for this one network.

::

    python -m benchmarks.throughput --json benchmarks/results/throughput.json
    python -m benchmarks.throughput --cores 2 --rows 1000 --contenders keras_tuner fused_1 --trials 6 --no-worker
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contest.contenders import CONTENDERS, measured
from benchmarks.contest.one_worker import own_cost, setup
from benchmarks.contest.ours import Ours
from benchmarks.contest.setting import SPLITS, write
from benchmarks.contest.table import ratio, table
from benchmarks.harness import Benchmark, options, run
from benchmarks.machine import usable_cores
from benchmarks.measurement import Measurement, Row, Target
from benchmarks.searches import make_experiment
from benchmarks.warm import growth

SIZES = (1000, 10_000, 50_000)
TRIALS, QUICK_TRIALS = 30, 4
GROWTH_TRIALS = 500
RATIOS = {"fused_all": SIZES, "fused_1": (10_000,), "tensorflow_all": SIZES}
"""What is compared with KerasTuner, and at which numbers of rows."""
FOUR_CORES = {"fused_all": (8.0, 8.0, 4.0), "fused_1": (4.0,), "tensorflow_all": (3.0, 3.0, 3.0)}
TWO_CORES = {"fused_all": (6.0, 6.0, 3.0), "fused_1": (4.0,), "tensorflow_all": (2.0, 2.0, 2.0)}
"""Asked for on so many cores, in the order of `RATIOS`."""

SETUPS = (
    ("built_in", "the built-in mlp", Ours(factory="mlp")),
    ("stock", "stock Dropout", Ours()),
    ("rates", "our Dropout", Ours(factory="factories:held")),
)
"""Whose time to the first step is measured: by name, title, and how."""


@dataclass(frozen=True)
class Throughput:
    """What is asked for on the command line."""

    sizes: tuple[int, ...]
    contenders: tuple[str, ...]
    trials: int | None
    peer_trials: int | None
    repeats: int
    cores: int | None
    contest: bool = True
    worker: bool = True

    def measure(self, quick: bool) -> Iterator[Measurement | Row]:
        """Yield the contest's rows, their ratios, and what one worker takes."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if self.contest:
                yield from self._contest(folder, quick)
            if self.worker:
                yield from self._worker(folder, quick)

    def _contest(self, folder: Path, quick: bool) -> Iterator[Measurement | Row]:
        trials = self.trials or (QUICK_TRIALS if quick else TRIALS)
        rows: list[Row] = []
        for size in self.sizes[:1] if quick else self.sizes:
            for name in self.contenders:
                contender = CONTENDERS[name]
                count = trials if contender.ours else min(trials, self.peer_trials or trials)
                setting = write(folder / f"{name}_{size}", size, count, self.repeats)
                try:
                    rows.append(measured(contender, setting, size, self.cores))
                except RuntimeError as error:  # the others' hours are not lost; what is missing is a shortfall
                    print(f"{name}, {size} rows: {error}", file=sys.stderr)
                else:
                    yield rows[-1]
        yield from _ratios(rows)

    def _worker(self, folder: Path, quick: bool) -> Iterator[Measurement]:
        trials = 5 if quick else 12
        for name, title, ours in SETUPS:
            yield setup(folder / name, f"setup_{name}_ms", f"to the first step, {title}", ours, trials)
        yield from own_cost(folder / "own_cost", 1000 if quick else 10_000, trials)
        yield growth(make_experiment(folder / "growth"), 40 if quick else GROWTH_TRIALS)


def _ratios(rows: Sequence[Row]) -> Iterator[Measurement]:
    for contender, sizes in RATIOS.items():
        for size in sizes:
            times = ratio(rows, size, contender)
            if times is not None:
                yield Measurement(
                    name=f"{contender}_{size}_times",
                    title=f"{contender} / keras_tuner, {size:,} rows",
                    repeats=(times,),
                    unit="",
                )


def targets(cores: int) -> tuple[Target, ...]:
    """Return what is asked for on so many cores: of four and more as of four."""
    asked = FOUR_CORES if cores >= 4 else TWO_CORES
    ratios = (
        Target(measurement=f"{contender}_{size}_times", limit=limit, bound="above", quick=False)
        for contender, limits in asked.items()
        for size, limit in zip(RATIOS[contender], limits, strict=True)
    )
    return (
        *ratios,
        Target(measurement="setup_built_in_ms", limit=50.0),
        Target(measurement="setup_stock_ms", limit=250.0),
        Target(measurement="own_cost_percent", limit=10.0, quick=False),
        Target(measurement=f"worker_growth_{GROWTH_TRIALS}_mb", limit=50.0, quick=False),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark as a program; return its exit code."""
    parser = options("throughput", "Throughput")
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, metavar="N", help="sizes of the data")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=tuple(CONTENDERS), metavar="NAME")
    parser.add_argument("--trials", type=int, help=f"of each contender ({TRIALS}; quick: {QUICK_TRIALS})")
    parser.add_argument("--peer-trials", type=int, help="of each peer: fewer tell its rate, as it compiles each fold")
    parser.add_argument("--repeats", type=int, default=1, help="of the folds: so many times as many fits a trial")
    parser.add_argument("--cores", type=int, help="bind each contender to so many cores (Linux)")
    parser.add_argument("--no-contest", action="store_true", help="leave the table of contenders out")
    parser.add_argument("--no-worker", action="store_true", help="leave out what is measured of one worker")
    given = parser.parse_args(argv)
    return run(_benchmark(given), given)


def _benchmark(given: argparse.Namespace) -> Benchmark:
    asked = Throughput(
        sizes=tuple(given.rows),
        contenders=tuple(given.contenders),
        trials=given.trials,
        peer_trials=given.peer_trials,
        repeats=given.repeats,
        cores=given.cores,
        contest=not given.no_contest,
        worker=not given.no_worker,
    )
    cores = given.cores or len(usable_cores())
    splits = f", {given.repeats} x {SPLITS} splits" if given.repeats > 1 else ""
    return Benchmark("throughput", f"Throughput, {cores} cores{splits}", asked.measure, targets(cores), table)


if __name__ == "__main__":
    sys.exit(main())
