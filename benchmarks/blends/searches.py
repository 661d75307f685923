"""Real searches for members to blend: ``workbench init`` and ``workbench run`` on tables with labels set aside.

::

    python -m benchmarks.blends.searches CACHE titanic concrete     # the ten of the benchmark if none is named
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.blends.searched import Searched
from benchmarks.data_sets import DataSet, default_folder
from benchmarks.processes import workbench
from workbench.data.labels import encode
from workbench.ensembles.members import gather
from workbench.errors import WorkbenchError
from workbench.experiment import Experiment
from workbench.workspace import Workspace, open_workspace

NAMES = (
    *("titanic", "spaceship_titanic", "telco_churn", "german_credit", "spambase"),
    *("wine_quality", "house_prices", "abalone", "concrete", "california_housing"),
)
"""Fixed before anything was blended."""

FAMILIES = ("linear", "lightgbm", "extra_trees", "random_forest", "xgboost", "mlp")
TRIALS = 6
TIME = "5m"
SETTINGS = (
    f"families=[{', '.join(FAMILIES)}]",
    f"search.trials={TRIALS}",
    "search.pruner=none",
    "training.workers=2",
    "ensemble.method=mean",
)
"""Nothing is pruned, as every trial that ends is a member; the run's own blend is not looked at."""


def search(data: Path, name: str, folder: Path, seconds: str = TIME) -> Searched:
    """Search a data set in ``folder``; a search that is there already goes on.

    Raises:
        subprocess.CalledProcessError: the workbench has failed.
        WorkbenchError: no trial is complete.
    """
    source, experiment = DataSet.read(data, name), folder / name / "experiment"
    truth = source.truth()
    if not (experiment / "experiment.yaml").exists():
        experiment.parent.mkdir(parents=True, exist_ok=True)
        test = experiment.parent / "test.csv"
        source.write_test(truth, test)
        tables = ["--train", str(source.train), "--test", str(test)]
        _run(["init", str(experiment), *tables, "--metric", source.metric])
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    _run(["run", str(experiment), "--time", seconds, *settings])
    with open_workspace(Experiment.from_folder(experiment, SETTINGS)) as workspace:
        schema = workspace.dataset.schema
        return _searched(name, workspace, encode(truth[schema.target], schema, origin="test labels"))


def _run(arguments: Sequence[str]) -> None:
    subprocess.run([workbench(), *arguments], check=True, capture_output=True, text=True)


def _searched(name: str, workspace: Workspace, test_y: np.ndarray) -> Searched:
    dataset, plan, vault = workspace.dataset, workspace.plan, workspace.vault
    candidates = workspace.candidates(None)
    members = gather(
        candidates,
        vault.oof,
        validate=[plan.validate(split) for split in range(plan.splits)],
        y=dataset.y,
        weight=dataset.weight,
        metric=workspace.metric,
        plan_key=plan.key,
        classification=dataset.schema.task != "regression",
    )
    test = [vault.test(candidate.fit_key, dataset.test_key) for candidate in candidates]
    return Searched(name, members, np.stack(test).astype(np.float64), test_y)


def main(argv: Sequence[str] | None = None) -> int:
    """Search data sets whose arrays are not in the cache; return 1 if one has failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.blends.searches", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("cache", type=Path, help="folder for the arrays and the experiments")
    parser.add_argument("names", nargs="*", default=NAMES, help="data sets")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--time", default=TIME, help="budget of a search")
    given = parser.parse_args(argv)
    failed = [name for name in given.names if not _cached(given, name)]
    return 1 if failed else 0


def _cached(given: argparse.Namespace, name: str) -> bool:
    """Search a data set unless its arrays are there; say what came of it."""
    told, began = Console(stderr=True), time.monotonic()
    if (given.cache / f"{name}.npz").exists():
        return True
    try:
        found = search(given.data, name, given.cache / "experiments", given.time)
    except subprocess.CalledProcessError as error:
        told.print(f"{name}: exit code {error.returncode}\n{error.stdout}\n{error.stderr}", markup=False)
        return False
    except WorkbenchError as error:
        told.print(f"{name}: {error}", markup=False)
        return False
    found.write(given.cache)
    told.print(f"{name}: {len(found.members)} members in {time.monotonic() - began:.0f} s", highlight=False)
    return True


if __name__ == "__main__":
    sys.exit(main())
