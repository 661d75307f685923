"""What every benchmark has in common: its options, its table, its JSON, and the check of its targets.

::

    def measure(quick: bool) -> Iterator[Measurement]:
        yield repeated("help_s", "workbench --help", seconds_of_help, times=3 if quick else 7)

    if __name__ == "__main__":
        sys.exit(main(Benchmark("startup", "Startup", measure, TARGETS)))

``--json FILE`` writes the result, ``--quick`` ends within minutes, ``--check`` exits with 1 if a target is missed.
A benchmark with options of its own adds them to `options`, and gives what was parsed to `run`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import this_machine, versions
from benchmarks.measurement import Measurement, Result, Row, Target

FILE_WIDTH = 120


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and what is asked for.

    ``measure(quick)`` yields measurements, and rows of a contest, as they are made; ``contest`` shows the rows.
    """

    name: str
    title: str
    measure: Callable[[bool], Iterator[Measurement | Row]]
    targets: tuple[Target, ...] = ()
    contest: Callable[[Sequence[Row]], Table] | None = None


def repeated(
    name: str, title: str, once: Callable[[], float], *, times: int, unit: str = "s", note: str = ""
) -> Measurement:
    """Measure something ``times`` times in a row."""
    return Measurement(name=name, title=title, repeats=tuple(once() for _ in range(times)), unit=unit, note=note)


def main(benchmark: Benchmark, argv: Sequence[str] | None = None) -> int:
    """Run a benchmark as a program; return its exit code."""
    return run(benchmark, options(benchmark.name, benchmark.title).parse_args(argv))


def options(name: str, title: str) -> argparse.ArgumentParser:
    """Return a parser of the options that every benchmark has."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=title)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to FILE")
    parser.add_argument("--quick", action="store_true", help="measure less, and end within minutes")
    parser.add_argument("--check", action="store_true", help="exit with 1, naming each target that is missed")
    return parser


def run(benchmark: Benchmark, given: argparse.Namespace) -> int:
    """Run a benchmark as its options say; return its exit code."""
    result = _measured(benchmark, given)
    if benchmark.contest is not None and result.rows:
        screen().print(benchmark.contest(result.rows))
    return told(benchmark.title, result, given)


def screen() -> Console:
    """Return where tables are printed: in a file there is no edge at which one would have to be cut."""
    return Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)


def told(title: str, result: Result, given: argparse.Namespace) -> int:
    """Print a result's measurements beside its targets, and return the exit code that the options ask for."""
    console = screen()
    if result.measurements:
        console.print(_table(title, result))
    if given.json is not None:
        console.print(f"wrote {given.json}")
    if not given.check:
        return 0
    for shortfall in result.shortfalls:
        console.print(f"missed: {shortfall}", style="red", highlight=False)
    return 1 if result.shortfalls else 0


def _measured(benchmark: Benchmark, given: argparse.Namespace) -> Result:
    """Measure everything; what is measured so far is written at once, as some benchmarks take hours."""
    progress = Console(stderr=True)
    result = Result(
        benchmark=benchmark.name,
        quick=given.quick,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine(),
        versions=versions(),
        measurements=(),
        targets=benchmark.targets,
    )
    for found in benchmark.measure(given.quick):
        if isinstance(found, Row):
            told = f"{found.rows} rows, {found.title}: {figure(found.trials_per_minute)} trials/min"
            result = result.model_copy(update={"rows": (*result.rows, found)})
        else:
            told = f"{found.title}: {figure(found.value)} {found.unit}"
            result = result.model_copy(update={"measurements": (*result.measurements, found)})
        progress.print(told, style="dim", highlight=False)
        if given.json is not None:
            write(result, given.json)
    return result


def write(result: Result, file: Path) -> None:
    """Write a result as JSON; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(result.model_dump_json(indent=1) + "\n", "utf-8")


def _table(title: str, result: Result) -> Table:
    machine = result.machine
    busy = "" if machine.load is None else f", load {machine.load:g}"
    table = Table(
        title=f"{title}{' (quick)' if result.quick else ''}",
        caption=f"{result.date} · {machine.processor}, {machine.cores} cores, {machine.memory_gb:g} GB{busy} · medians",
    )
    table.add_column("measured")
    for heading in ("median", "from … to", "target"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    asked = [target for target in result.targets if target.quick or not result.quick]
    for measurement in result.measurements:
        table.add_row(*_cells(measurement, asked))
    return table


def _cells(measurement: Measurement, targets: Sequence[Target]) -> tuple[str, str, str, str, str]:
    low, high = min(measurement.repeats), max(measurement.repeats)
    several = len(measurement.repeats) > 1
    told = [_told(target, measurement) for target in targets if target.measurement == measurement.name]
    return (
        measurement.title,
        f"{figure(measurement.value)} {measurement.unit}",
        f"{figure(low)} … {figure(high)}" if several else "",
        ", ".join(told),
        measurement.note,
    )


def _told(target: Target, measurement: Measurement) -> str:
    sign = "<" if target.bound == "below" else ">"
    return f"{sign} {target.limit:g} {'met' if target.met(measurement.value) else 'MISSED'}"


def figure(value: float) -> str:
    """Three figures, and never fewer than the whole number."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
