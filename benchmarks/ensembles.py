"""Blends: methods beside what a user would pick instead, and what a blend is worth on rows that nothing has seen.

::

    python -m benchmarks.ensembles --search            # fills the cache: ten searches, half an hour on 4 cores
    python -m benchmarks.ensembles                     # methods by members, rows and metric
    python -m benchmarks.ensembles --tables            # the ten real tables, with test scores

``--cache DIR`` (or ``WORKBENCH_BLENDS``) is where arrays of real searches are kept; without them the small cases have
generated members. ``--rivals DIR`` is a folder with packages that are not this project's: ``hillclimbers``, AutoGluon.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import harness
from benchmarks.blends import goals, methods, searches, worth
from benchmarks.blends.cases import REAL, cases
from benchmarks.blends.contest import IMPORTED, Contest, contenders, title
from benchmarks.blends.forked import import_all
from benchmarks.data_sets import default_folder
from benchmarks.machine import this_machine, versions
from benchmarks.measurement import Result, Target

LIMIT, QUICK_LIMIT = 30.0, 5.0
REPEATS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark as a program; return its exit code."""
    parser = harness.options("ensembles", "Blends of members, and their scores")
    parser.add_argument("--tables", action="store_true", help="blends of ten real tables, scored on their test rows")
    parser.add_argument("--search", action="store_true", help="search the ten tables that are not in the cache yet")
    parser.add_argument("--cache", type=Path, default=_cache(), help="folder with arrays of searches")
    parser.add_argument("--data", type=Path, default=default_folder(), help="folder of the data sets")
    parser.add_argument("--rivals", type=Path, action="append", default=[], help="folder with packages of others")
    parser.add_argument("--limit", type=float, help="seconds that a contender may take for a case")
    parser.add_argument("--metrics", nargs="+", choices=tuple(REAL), default=tuple(REAL), help="metrics; all if absent")
    parser.add_argument("--sizes", nargs="+", metavar="MxN", help="members and rows, such as 20x100000; all if absent")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="other draws of members for each table")
    given = parser.parse_args(argv)
    sys.path += [str(folder.resolve()) for folder in given.rivals]
    if given.search:
        return searches.main([str(given.cache), "--data", str(given.data)])
    return _finish(given, *(_tables(given) if given.tables else _methods(given)))


def _cache() -> Path:
    return Path(os.environ.get("WORKBENCH_BLENDS", Path.home() / ".cache" / "workbench-blends"))


def _methods(given: argparse.Namespace) -> tuple[str, Result]:
    limit = given.limit or (QUICK_LIMIT if given.quick else LIMIT)
    told, console = Console(stderr=True), harness.screen()
    import_all(IMPORTED)
    contest = Contest(contenders())
    result = methods.Methods(**_about(given, goals.TARGETS), limit_s=limit, blended=())
    for case in cases(given.cache, limit, quick=given.quick, metrics=given.metrics):
        if given.sizes and f"{len(case.members)}x{case.rows}" not in given.sizes:
            continue
        found = tuple(contest.run(case))
        result = result.model_copy(update={"blended": (*result.blended, *found)})
        _keep(result, given)
        slowest = max(found, key=lambda one: one.seconds if one.finished else 0.0)
        told.print(
            f"{case.metric}, {len(case.members)} members, {case.rows:,} rows: "
            f"slowest {title(slowest.contender)}, {slowest.seconds:.3g} s",
            style="dim",
            highlight=False,
        )
    for table in methods.tables(result.blended):
        console.print(table)
    measured = tuple(goals.goals(result.blended, quick=given.quick))
    asked = tuple(target for target in goals.TARGETS if any(one.name == target.measurement for one in measured))
    return "Methods of ensembles: goals", result.model_copy(update={"measurements": measured, "targets": asked})


def _tables(given: argparse.Namespace) -> tuple[str, Result]:
    console = harness.screen()
    result = worth.Worth(**_about(given, worth.TARGETS), tested=())
    for one in worth.measured(given.cache, 0 if given.quick else given.repeats):
        result = result.model_copy(update={"tested": (*result.tested, one)})
        _keep(result, given)
    for table in worth.tables(result.tested):
        console.print(table)
    measured = tuple(worth.goals(result.tested))
    return "Blends on test rows: goals", result.model_copy(update={"measurements": measured})


def _about(given: argparse.Namespace, targets: tuple[Target, ...]) -> dict[str, Any]:
    return {
        "benchmark": "ensembles",
        "quick": given.quick,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": this_machine(),
        "versions": versions(),
        "measurements": (),
        "targets": targets,
    }


def _keep(result: Result, given: argparse.Namespace) -> None:
    if given.json is not None:
        harness.write(result, given.json)


def _finish(given: argparse.Namespace, title: str, result: Result) -> int:
    _keep(result, given)
    return harness.told(title, result, given)


if __name__ == "__main__":
    sys.exit(main())
