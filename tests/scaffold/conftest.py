"""Tables to begin an experiment with, written where `workbench init` finds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.scaffold import Scaffold, Tables, create


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., Scaffold]:
    """Return a function that writes tables and begins an experiment with them."""

    def begun(
        train: pd.DataFrame, test: pd.DataFrame | None = None, sample: pd.DataFrame | None = None, **told: Any
    ) -> Scaffold:
        paths = {}
        for name, frame in (("train", train), ("test", test), ("sample_submission", sample)):
            if frame is not None:
                paths[name] = tmp_path / f"{name}.csv"
                frame.to_csv(paths[name], index=False)
        return create(tmp_path / "new", Tables(**paths, **told))

    return begun


@pytest.fixture
def houses() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A training table of 600 houses, shuffled, and a test table of 300 alike: numbers, categories, gaps, names."""
    random = np.random.default_rng(0)
    rows = 900
    table = pd.DataFrame(
        {
            "house_id": np.arange(rows),
            "area": random.normal(100, 20, rows).round(1),
            "built": random.integers(1900, 2020, rows),
            "rooms": random.integers(1, 7, rows),
            "town: of old": random.choice(["Ulm", "Bonn", "Köln"], rows),
            "owner": [f"family {number}" for number in random.permutation(rows)],
            "garden": random.choice(["yes", "no"], rows),
        }
    )
    table["price"] = (1000 * table["area"] + 9000 * table["rooms"] + random.normal(0, 9000, rows)).round()
    table.loc[random.random(rows) < 0.1, "area"] = np.nan
    return table.iloc[:600], table.iloc[600:].drop(columns="price")
