"""Any table: ``workbench init``, then ``workbench run --time 2m``, unedited, scored on labels that it has never seen.

Each data set is a folder with ``meta.json`` (target, metric, files) and tables; ``BASELINES.csv`` beside them has the
score of a constant and of one simple model on the same test rows. They are real sets that are not this project's to
publish: ``--data`` says where they lie.

::

    python -m benchmarks.tables --data ../shared/data --json benchmarks/results/tables.json --markdown docs/tables.md
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.data_sets import DataSet, default_folder
from benchmarks.machine import Machine, this_machine, versions
from benchmarks.measurement import Frozen
from benchmarks.processes import bound, workbench
from workbench.data.labels import encode
from workbench.delivery.layout import OutputLayout
from workbench.delivery.result import SweepResult, read_result
from workbench.durations import parse_duration
from workbench.metrics import Metric, load_metric
from workbench.types import MetricRef, Schema

NAMES = (
    *("titanic", "house_prices", "adult_income", "otto", "wine_quality", "california_housing"),
    *("bike_sharing", "mushrooms", "permeability", "german_credit", "thyroid_sick", "diamonds"),
)
ALLOWED = (1.5, 60.0)
"""A run may take so many times its budget, and so many seconds more: on top of it come imports and the first trials."""


class Score(Frozen):
    """What one data set came to."""

    name: str
    metric: str
    direction: str
    rows: int
    columns: int
    test: float
    """The submission's score on the test labels."""
    nested: float
    """What the run expected it to be."""
    constant: float
    simple: float
    """Scores of a constant and of the simple model on the same rows."""
    seconds: float
    trials: int
    blend: str
    in_time: bool

    @property
    def beats_constant(self) -> bool:
        """Say whether the submission is better than a constant."""
        return self._better(self.test, self.constant)

    @property
    def reaches_simple(self) -> bool:
        """Say whether the submission is at or better than the simple model, at the precision of its score."""
        return not self._better(self.simple, round(self.test, 5))

    def _better(self, left: float, right: float) -> bool:
        return left < right if self.direction == "minimize" else left > right


class Scores(Frozen):
    """A run of this benchmark, as it is kept."""

    version: int = 1
    benchmark: str = "tables"
    date: str
    budget_s: float
    cores: int | None
    machine: Machine
    versions: dict[str, str]
    scores: tuple[Score, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark as a program; return 1 if a run was late, not valid, or no better than a constant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, help="data sets; the twelve of the documentation if none")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--time", default="2m", help="budget of a run")
    parser.add_argument("--cores", type=int, help="bind each run to so many cores (Linux)")
    parser.add_argument("--keep", type=Path, help="folder for the experiments; a temporary one if absent")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to FILE")
    given = parser.parse_args(argv)
    machine = this_machine()
    with tempfile.TemporaryDirectory() as temporary:
        scores = tuple(_measure(given, Path(given.keep or temporary)))
    result = Scores(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        budget_s=parse_duration(given.time),
        cores=given.cores,
        machine=machine,
        versions=versions(),
        scores=scores,
    )
    Console().print(_table(result))
    if given.json is not None:
        given.json.write_text(result.model_dump_json(indent=1) + "\n", "utf-8")
    if given.markdown is not None:
        given.markdown.write_text(_markdown(result), "utf-8")
    return (
        0 if all(score.beats_constant and score.in_time for score in scores) and len(scores) == len(given.names) else 1
    )


def _measure(given: argparse.Namespace, folder: Path) -> Iterator[Score]:
    told = Console(stderr=True)
    for name in given.names:
        try:
            score = _score(given, name, folder / name)
        except subprocess.CalledProcessError as error:
            told.print(f"{name}: exit code {error.returncode}\n{error.stdout}\n{error.stderr}", markup=False)
            continue
        told.print(f"{name}: {score.test:.5f} (simple {score.simple:.5f}) in {score.seconds:.0f} s", highlight=False)
        yield score


def _score(given: argparse.Namespace, name: str, folder: Path) -> Score:
    source, experiment = DataSet.read(given.data, name), folder / "experiment"
    folder.mkdir(parents=True, exist_ok=True)
    truth, test = source.truth(), folder / "test.csv"
    source.write_test(truth, test)
    told = ["init", str(experiment), "--train", str(source.train), "--test", str(test), "--metric", source.metric]
    _run(told, None)
    began = time.monotonic()
    _run(["run", str(experiment), "--time", given.time], given.cores)
    seconds = time.monotonic() - began
    result = read_result(max((experiment / ".workbench" / "sweeps").glob("*/result.json")))
    baselines: dict[Any, Any] = pd.read_csv(given.data / "BASELINES.csv").set_index("name").loc[name].to_dict()
    factor, more = ALLOWED
    return Score(
        name=name,
        metric=source.metric,
        direction=result.direction,
        rows=source.meta["rows_train"],
        columns=source.meta["columns"],
        test=_test_score(result, truth, load_metric(MetricRef(name=source.metric))),
        nested=float("nan") if result.scores.nested is None else result.scores.nested,
        constant=float(baselines["constant_prediction"]),
        simple=float(baselines["simple_model"]),
        seconds=seconds,
        trials=sum(
            count for states in result.trials.values() for state, count in states.items() if state == "complete"
        ),
        blend=", ".join(f"{m.family} {m.weight:.2f}" for m in result.members if m.weight >= 0.005),
        in_time=seconds <= factor * parse_duration(given.time) + more,
    )


def _run(arguments: Sequence[str], cores: int | None) -> None:
    subprocess.run([*bound(cores), workbench(), *arguments], check=True, capture_output=True, text=True)


def _test_score(result: SweepResult, truth: pd.DataFrame, metric: Metric) -> float:
    """Score the submission as a competition's server would: rows by id where there is one, else by position."""
    if result.paths.submission is None or result.paths.model is None:
        raise ValueError(f"{result.experiment}: no submission was written")
    blend = result.paths.model / "artifacts" / "blend"
    schema = Schema.model_validate_json((blend / "schema.json").read_text("utf-8"))
    layout = OutputLayout.model_validate_json((blend / "layout.json").read_text("utf-8"))
    submission = pd.read_csv(result.paths.submission, keep_default_na=False)
    if len(submission) != len(truth) or list(submission.columns) != list(layout.columns):
        raise ValueError(f"{result.paths.submission} does not have the rows and columns asked for")
    if schema.id is not None and submission[layout.id].astype(str).tolist() != truth[schema.id].astype(str).tolist():
        raise ValueError(f"{result.paths.submission} has other ids than the test table")
    y = encode(truth[schema.target], schema, origin="test labels")
    if layout.kind == "label":
        labels = encode(submission[layout.predictions[0]], schema, origin="submission")
        return float(metric.function(y, labels, None))
    return metric(y, submission[list(layout.predictions)].to_numpy(np.float64))


HEADINGS = ("data set", "rows, columns", "metric", "test", "simple model", "constant", "nested", "seconds", "trials")


def _cells(score: Score) -> tuple[str, ...]:
    sign = "↓" if score.direction == "minimize" else "↑"
    return (
        score.name,
        f"{score.rows:,}, {score.columns:,}",
        f"{score.metric} {sign}",
        f"{score.test:.5g}" + (" ✓" if score.reaches_simple else ""),
        f"{score.simple:.5g}",
        f"{score.constant:.5g}",
        f"{score.nested:.5g}",
        f"{score.seconds:.0f}" + ("" if score.in_time else " late"),
        str(score.trials),
    )


def _table(result: Scores) -> Table:
    table = Table(title="workbench init, then workbench run, unedited", caption=_summary(result))
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("data set", "metric") else "right")
    for score in result.scores:
        table.add_row(*_cells(score))
    return table


def _summary(result: Scores) -> str:
    reached = sum(score.reaches_simple for score in result.scores)
    cores = result.cores or result.machine.cores
    return (
        f"{reached} of {len(result.scores)} at or better than the simple model (✓), budget {result.budget_s:.0f} s, "
        f"{cores} cores of {result.machine.processor}, {result.date[:10]}"
    )


def _markdown(result: Scores) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + " --- |" * len(HEADINGS)]
    lines += [f"| {' | '.join(_cells(score))} |" for score in result.scores]
    return "\n".join([*lines, "", _summary(result) + ".", ""])


if __name__ == "__main__":
    sys.exit(main())
