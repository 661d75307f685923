"""Real tables with labels set aside: a folder each, with ``meta.json`` (target, metric, files) and the tables.

They are not this project's to publish: the environment's ``WORKBENCH_SHARED_DATA`` says where they lie.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.readers import read_table

METRICS = {"logloss": "log_loss"}
"""What the data sets' notes call a metric, where it has another name here."""


def default_folder() -> Path:
    """Return the folder of all data sets."""
    return Path(os.environ.get("WORKBENCH_SHARED_DATA", "../shared/data"))


@dataclass(frozen=True)
class DataSet:
    """A training table and a test table whose labels nobody is shown."""

    name: str
    folder: Path
    meta: dict[str, Any]

    @classmethod
    def read(cls, root: Path, name: str) -> DataSet:
        """Read what is known of a data set."""
        folder = root / name
        return cls(name, folder, json.loads((folder / "meta.json").read_text("utf-8")))

    @property
    def metric(self) -> str:
        """The metric, as it is called here."""
        told: str = self.meta["metric"]
        return METRICS.get(told, told)

    @property
    def train(self) -> Path:
        """The training table."""
        files: dict[str, str] = self.meta["files"]
        return (self.folder / files.get("split_train", files["train"])).resolve()

    def truth(self) -> pd.DataFrame:
        """Return the test table with its labels."""
        files: dict[str, str] = self.meta["files"]
        return read_table(self.folder / files.get("split_test", files.get("test", "")))

    def write_test(self, truth: pd.DataFrame, file: Path) -> None:
        """Write the test table without its labels."""
        truth.drop(columns=self.meta["target"]).to_csv(file, index=False)
