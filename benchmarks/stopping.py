"""What it costs that early stopping looks at the validation fold: the optimism of ``stopping: fold`` beside ``inner``.

Default configurations (no search) are trained both ways on the same folds of real tables. Each split's model predicts a
labelled test table that nothing has seen, so its out-of-fold score and its test score are of the same one model. How
much better the out-of-fold score is, is its optimism; chance (which rows are validated, which are tested) is the same
for both ways, so the difference of the two optimisms is what stopping on the fold causes.

::

    python -m benchmarks.stopping --data ../shared/data --json benchmarks/results/stopping.json
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from benchmarks.data_sets import DataSet, default_folder
from benchmarks.harness import screen
from benchmarks.machine import Machine, this_machine, versions
from benchmarks.measurement import Frozen
from workbench import Experiment
from workbench.data.labels import encode
from workbench.data.readers import read_table
from workbench.evaluation.statistics import corrected_t_test, size_ratio
from workbench.search.progress import Silent
from workbench.search_budget import resolve_budget
from workbench.search_stage import open_search
from workbench.store.ledger import Trial
from workbench.training.bundle import load_predictor
from workbench.types import Stopping
from workbench.workspace import Workspace, open_workspace

NAMES = ("pima_diabetes", "telco_churn", "concrete", "abalone")
FAMILIES = ("mlp", "lightgbm")
WAYS: tuple[Stopping, ...] = ("fold", "inner")
ROWS = 2000
"""At most so many training rows, drawn at random: optimism is largest where there are few."""
FOLDS = {"splits": 5, "repeats": 2}

Array = NDArray[np.float64]


class Scores(Frozen):
    """One family under one way of stopping: scores by split, in the metric's units."""

    out_of_fold: tuple[float, ...]
    test: tuple[float, ...]
    """Of the same split's model on the test table."""
    ensemble: float
    """Test score of the mean of all splits' models, which is what would be submitted."""
    epochs: float
    """Median of the epochs or rounds that were kept."""


class Case(Frozen):
    """One family on one data set, both ways. Losses are the metric, or 1 minus it where more is better."""

    data: str
    rows: int
    family: str
    metric: str
    direction: str
    fold: Scores
    inner: Scores
    optimism_fold: float
    """Mean over splits of test loss minus out-of-fold loss, in percent of the test loss."""
    optimism_inner: float
    difference: float
    """The former minus the latter: what stopping on the fold adds."""
    difference_se: float
    """Corrected for overlapping training sets."""
    gain_of_fold: float
    """How much lower the test loss is with ``fold`` than with ``inner``, in percent: it trains on all other folds."""


class Result(Frozen):
    """A run of this benchmark, as it is kept."""

    version: int = 1
    benchmark: str = "stopping"
    date: str
    folds: dict[str, int] = FOLDS
    machine: Machine
    versions: dict[str, str]
    cases: tuple[Case, ...]
    optimism: float
    """Mean over data sets of what stopping on the fold adds to the out-of-fold score, in percent of the loss."""
    optimism_se: float
    """Its standard error over data sets: families on the same rows are not independent."""
    gain_of_fold: float
    gain_of_fold_se: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, help="data sets; the four of the documentation if none")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to FILE")
    given = parser.parse_args(argv)
    machine, cases = this_machine(), []
    os.environ.setdefault("KERAS_BACKEND", "jax")  # of the bundles that are loaded here
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names:
            for case in measured(DataSet.read(given.data, name), Path(folder) / name, given.workers):
                print(f"{case.data} {case.family}: {case.difference:+.2f} ± {case.difference_se:.2f} %", flush=True)
                cases.append(case)
    result = summarised(tuple(cases), machine)
    screen().print(table(result))
    if given.json is not None:
        given.json.write_text(result.model_dump_json(indent=1) + "\n", "utf-8")
    return 0


def measured(data: DataSet, folder: Path, workers: int) -> Iterator[Case]:
    """Train each family both ways on a data set, and yield what it came to."""
    folder.mkdir(parents=True)
    sample = _sample(data, folder)
    found = {way: dict(_scores(data, folder / way, sample, way, workers)) for way in WAYS}
    for family in FAMILIES:
        (fold, about), (inner, _) = (found[way][family] for way in WAYS)
        yield _case(data, family, fold, inner, about)


class _About(Frozen):
    rows: int
    direction: str
    ratio: float


def _case(data: DataSet, family: str, fold: Scores, inner: Scores, about: _About) -> Case:
    def loss(scores: Sequence[float]) -> Array:
        found: Array = np.asarray(scores, dtype=np.float64)
        return found if about.direction == "minimize" else np.subtract(1.0, found)

    def optimism(scores: Scores) -> Array:
        below: Array = 100.0 * (loss(scores.test) - loss(scores.out_of_fold)) / loss(inner.test).mean()
        return below

    both = optimism(fold), optimism(inner)
    test = corrected_t_test(list(both[0] - both[1]), about.ratio)
    losses = loss(fold.test).mean(), loss(inner.test).mean()
    return Case(
        data=data.name,
        rows=about.rows,
        family=family,
        metric=data.metric,
        direction=about.direction,
        fold=fold,
        inner=inner,
        optimism_fold=float(both[0].mean()),
        optimism_inner=float(both[1].mean()),
        difference=test.mean,
        difference_se=test.se or 0.0,
        gain_of_fold=float(100.0 * (1.0 - losses[0] / losses[1])),
    )


def _sample(data: DataSet, folder: Path) -> Path:
    train = read_table(data.train)
    file = folder / "train.csv"
    train.sample(min(ROWS, len(train)), random_state=0).to_csv(file, index=False)
    data.write_test(data.truth(), folder / "test.csv")
    return file


def _scores(
    data: DataSet, store: Path, sample: Path, way: Stopping, workers: int
) -> Iterator[tuple[str, tuple[Scores, _About]]]:
    experiment = Experiment(
        sample,
        test=sample.with_name("test.csv"),
        target=data.meta["target"],
        id=data.meta.get("id_column"),
        metric=data.metric,
        name=data.name,
        root=sample.parent,
        store=store,
        families=list(FAMILIES),
        folds=FOLDS,
        search={"trials": 1},
        training={"stopping": way, "workers": workers},
    )
    with open_workspace(experiment) as workspace:
        with open_search(workspace, resolve_budget(workspace, None, 0, None), Silent()) as search:
            search.run(workspace.ledger.open_sweep(data.name))
        ratio = size_ratio(workspace.plan, workspace.dataset.weight)
        about = _About(rows=workspace.dataset.rows, direction=workspace.metric.direction, ratio=ratio)
        for trial in workspace.trials():
            yield trial.family, (_scored(workspace, data, trial), about)


def _scored(workspace: Workspace, data: DataSet, trial: Trial) -> Scores:
    """Return a trial's scores out of fold and on the test table, split by split."""
    if trial.result is None:
        raise ValueError(f"{data.name}: {trial.name} is {trial.state}: {trial.failure}")
    dataset, metric, folder = workspace.dataset, workspace.metric, workspace.vault.folder(trial.result.fit_key)
    if dataset.test is None:
        raise ValueError(f"{data.name}: there is no test table")
    y = encode(data.truth()[data.meta["target"]], dataset.schema, origin="test labels")
    predictions = [load_predictor(folder / f"split{i}").predict(dataset.test) for i in range(workspace.plan.splits)]
    return Scores(
        out_of_fold=trial.result.scores,
        test=tuple(metric(y, prediction, None) for prediction in predictions),
        ensemble=metric(y, np.mean(predictions, axis=0), None),
        epochs=float(np.median(trial.result.best_epochs)),
    )


def summarised(cases: tuple[Case, ...], machine: Machine) -> Result:
    """Return the cases with their means over data sets, and the standard errors."""
    names = dict.fromkeys(case.data for case in cases)
    (optimism, optimism_se), (gain, gain_se) = (
        _mean([float(np.mean([getattr(case, field) for case in cases if case.data == name])) for name in names])
        for field in ("difference", "gain_of_fold")
    )
    return Result(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        versions=versions(),
        cases=cases,
        optimism=optimism,
        optimism_se=optimism_se,
        gain_of_fold=gain,
        gain_of_fold_se=gain_se,
    )


def _mean(values: Sequence[float]) -> tuple[float, float]:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return float(np.mean(values)), error


def table(result: Result) -> Table:
    """Return the cases as a table for people."""
    caption = (
        "Mean scores of the splits' models; optimism: how far the out-of-fold loss is below the test loss, in % of it. "
        f"Stopping on the fold adds {result.optimism:+.2f} ± {result.optimism_se:.2f} % (over data sets); the test "
        f"loss of its models is {result.gain_of_fold:.2f} ± {result.gain_of_fold_se:.2f} % lower."
    )
    made = Table(title="stopping: fold, and inner", caption=caption, box=box.SIMPLE_HEAD)
    for heading in ("data set", "rows", "family", "metric", "fold oof", "test", "inner oof", "test"):
        made.add_column(heading, justify="left" if heading in ("data set", "family", "metric") else "right")
    for heading in ("optimism", "of inner", "difference"):
        made.add_column(heading, justify="right")
    for case in result.cases:
        scores = (case.fold.out_of_fold, case.fold.test, case.inner.out_of_fold, case.inner.test)
        sign = "↓" if case.direction == "minimize" else "↑"
        made.add_row(
            *(case.data, str(case.rows), case.family, f"{case.metric} {sign}"),
            *(f"{np.mean(score):.4f}" for score in scores),
            *(f"{case.optimism_fold:+.1f}", f"{case.optimism_inner:+.1f}"),
            f"{case.difference:+.1f} ± {case.difference_se:.1f}",
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
