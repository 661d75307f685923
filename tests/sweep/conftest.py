"""A small experiment with boosted trees, searched and delivered once for all tests that look at what it left behind."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import workbench

YAML = """\
name: small
data: {train: train.csv, test: test.csv, target: y, id: id}
metric: log_loss
families: [dummy, lightgbm]
folds: {splits: 3}
search: {trials: 4}
holdout: 0.2
training: {rounds: 30, rounds_patience: 5, workers: 1}
"""


def write_tables(folder, rows=150, test_rows=60):
    generator = np.random.default_rng(0)
    total = rows + test_rows
    frame = pd.DataFrame(
        {
            "id": np.arange(total) + 1000,
            "a": generator.normal(size=total),
            "b": np.where(generator.random(total) < 0.1, np.nan, generator.normal(size=total)),
            "kind": generator.choice(["red", "green", "blue"], total),
        }
    )
    signal = frame["a"] + (frame["kind"] == "red") + 0.5 * generator.normal(size=total)
    frame["y"] = (signal > 0.3).astype(int)
    frame[:rows].to_csv(folder / "train.csv", index=False)
    frame[rows:].drop(columns="y").to_csv(folder / "test.csv", index=False)


def make_experiment(folder, text=YAML):
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder)
    (folder / "experiment.yaml").write_text(text)
    return folder


@pytest.fixture(scope="package")
def done(tmp_path_factory):
    """A finished sweep: ``folder`` of the experiment and ``result``."""
    folder = make_experiment(tmp_path_factory.mktemp("sweep") / "small")
    return SimpleNamespace(folder=folder, result=workbench.run(str(folder)))
