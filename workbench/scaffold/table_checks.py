"""What must hold of tables before anything is read off them; the messages are those of every other command."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from workbench.config import DataConfig
from workbench.data import checks
from workbench.data.conform import check_plain, each_column
from workbench.scaffold.tables import Frames, Tables


def check_cells(frames: Frames, tables: Tables) -> None:
    """Check that columns differ by name, and that no cell of those in every table is a list or a mapping.

    Raises:
        DataError: names the table, the columns, and what their cells are.
    """
    for table, path, kind in ((frames.train, tables.train, "training"), (frames.test, tables.test, "test")):
        if table is not None and path is not None:
            origin = f"{kind} table {path.name}"
            checks.check_distinct_names(table, origin)
            _check_plain(table, frames.features_of_both, origin)


def check_target(frames: Frames, tables: Tables, target: str) -> None:
    """Check that the tables have rows, and that the target is there in each of them and not the same in all.

    Raises:
        DataError: names the table and what is wrong.
    """
    config, origin = DataConfig(train=tables.train, target=target), f"training table {tables.train.name}"
    _check_plain(frames.train, [target], origin)
    checks.check_train(frames.train, config, origin=origin)
    if frames.test is not None and tables.test is not None:
        checks.check_test(frames.test, config, origin=f"test table {tables.test.name}")


def _check_plain(table: pd.DataFrame, names: Iterable[str], origin: str) -> None:
    def check(name: str) -> None:
        check_plain(table[name], name)

    each_column(names, check, origin=origin)
