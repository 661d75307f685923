"""What every benchmark has in common: its options, its table, its JSON, and the check of its targets.

::

    def measure(quick: bool) -> Iterator[Measurement]:
        yield repeated("help_s", "workbench --help", seconds_of_help, times=3 if quick else 7)

    if __name__ == "__main__":
        sys.exit(main(Benchmark("startup", "Startup", measure, TARGETS)))

``--json FILE`` writes the result, ``--quick`` ends within two minutes, ``--check`` exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import this_machine, versions
from benchmarks.measurement import Measurement, Result, Target


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and what is asked for. ``measure(quick)`` yields measurements as they are made."""

    name: str
    title: str
    measure: Callable[[bool], Iterator[Measurement]]
    targets: tuple[Target, ...] = ()


def repeated(
    name: str, title: str, once: Callable[[], float], *, times: int, unit: str = "s", note: str = ""
) -> Measurement:
    """Measure something ``times`` times in a row."""
    return Measurement(name=name, title=title, repeats=tuple(once() for _ in range(times)), unit=unit, note=note)


def main(benchmark: Benchmark, argv: Sequence[str] | None = None) -> int:
    """Run a benchmark as a program; return its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.title)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to FILE")
    parser.add_argument("--quick", action="store_true", help="measure less, and end within two minutes")
    parser.add_argument("--check", action="store_true", help="exit with 1, naming each target that is missed")
    given = parser.parse_args(argv)
    result = _run(benchmark, quick=given.quick)
    console = Console()
    console.print(_table(benchmark, result))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(result.model_dump_json(indent=1) + "\n", "utf-8")
        console.print(f"wrote {given.json}")
    if not given.check:
        return 0
    for shortfall in result.shortfalls:
        console.print(f"missed: {shortfall}", style="red", highlight=False)
    return 1 if result.shortfalls else 0


def _run(benchmark: Benchmark, *, quick: bool) -> Result:
    machine, date = this_machine(), datetime.now(UTC).isoformat(timespec="seconds")
    progress = Console(stderr=True)
    measurements = []
    for measurement in benchmark.measure(quick):
        progress.print(f"{measurement.title}: {_figure(measurement.value)} {measurement.unit}", style="dim")
        measurements.append(measurement)
    return Result(
        benchmark=benchmark.name,
        quick=quick,
        date=date,
        machine=machine,
        versions=versions(),
        measurements=tuple(measurements),
        targets=benchmark.targets,
    )


def _table(benchmark: Benchmark, result: Result) -> Table:
    machine = result.machine
    busy = "" if machine.load is None else f", load {machine.load:g}"
    table = Table(
        title=f"{benchmark.title}{' (quick)' if result.quick else ''}",
        caption=f"{result.date} · {machine.processor}, {machine.cores} cores, {machine.memory_gb:g} GB{busy} · medians",
    )
    table.add_column("measured")
    for heading in ("median", "from … to", "target"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    for measurement in result.measurements:
        table.add_row(*_cells(measurement, benchmark.targets))
    return table


def _cells(measurement: Measurement, targets: Sequence[Target]) -> tuple[str, str, str, str, str]:
    low, high = min(measurement.repeats), max(measurement.repeats)
    several = len(measurement.repeats) > 1
    told = [_told(target, measurement) for target in targets if target.measurement == measurement.name]
    return (
        measurement.title,
        f"{_figure(measurement.value)} {measurement.unit}",
        f"{_figure(low)} … {_figure(high)}" if several else "",
        ", ".join(told),
        measurement.note,
    )


def _told(target: Target, measurement: Measurement) -> str:
    sign = "<" if target.bound == "below" else ">"
    return f"{sign} {target.limit:g} {'met' if target.met(measurement.value) else 'MISSED'}"


def _figure(value: float) -> str:
    """Three figures, and never fewer than the whole number."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
