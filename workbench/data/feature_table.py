"""The table as a feature set gives it: what follows from rows alone, made once and kept on disk beside the data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data.dataset import Dataset
from workbench.data.dataset_files import FILE, read_about, read_frame, write_folder
from workbench.data.feature_steps import FeatureChain, Kinds, record
from workbench.data.features import load_steps
from workbench.data.raw_columns import raw_schema
from workbench.data.schema import conform, describe_column
from workbench.errors import FactoryError
from workbench.types import Column, ColumnKind, FeaturesRef, Schema, fingerprint

FORMAT = 1
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Derivation:
    """What is known of a feature set from the whole training table: the same in every fold, and in prediction."""

    chain: FeatureChain
    schema: Schema
    """The columns that the last step gives."""

    def conformed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the last step's table as preparations take it."""
        return conform(frame, self.schema, origin=f"feature set '{self.chain.steps[-1].name}'")


@dataclass(frozen=True)
class FeatureTable:
    """A data set after the steps of a feature set that look at rows alone."""

    derivation: Derivation
    train: pd.DataFrame
    test: pd.DataFrame | None
    y: pd.Series[Any]

    @property
    def size(self) -> int:
        """Bytes of the tables, without the text in their cells."""
        return sum(int(part.memory_usage().sum()) for part in (self.train, self.test) if part is not None)

    def split(self, train: Rows, rest: Rows) -> FeatureSplit:
        """Fit what is to be fitted on the rows ``train``, and return all rows as preparations take them."""
        chain = self.derivation.chain
        if chain.row_steps == len(chain.steps):
            whole, test = self._conformed
            return FeatureSplit((None,) * len(chain.steps), whole.iloc[train], whole.iloc[rest], test)
        fitted, fitting = chain.fit(_rows(self.train, train), self.y.iloc[train].reset_index(drop=True))

        def after(frame: pd.DataFrame) -> pd.DataFrame:
            return self.derivation.conformed(chain.transform(frame, fitted, start=chain.row_steps))

        test = None if self.test is None else after(self.test)
        return FeatureSplit(fitted, self.derivation.conformed(fitting), after(_rows(self.train, rest)), test)

    @cached_property
    def _conformed(self) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        conformed = self.derivation.conformed
        return conformed(self.train), None if self.test is None else conformed(self.test)


@dataclass(frozen=True)
class FeatureSplit:
    """One split's rows after a feature set, conformed to its schema, and what was fitted on the training rows."""

    fitted: Sequence[Any]
    """A transformer for each step; ``None`` where nothing is fitted."""
    train: pd.DataFrame
    rest: pd.DataFrame
    test: pd.DataFrame | None


def open_feature_table(
    dataset: Dataset, ref: FeaturesRef, cache: Path, *, seed: int = 0, confirm: Callable[[], None] = lambda: None
) -> FeatureTable:
    """Return a data set after a feature set's row steps: from the folder ``cache``, or made and kept there.

    Args:
        dataset: the data set.
        ref: the feature set.
        cache: folder of what is kept; tables are known by data, code and, where something is fitted, ``seed``.
        seed: under which the caller has seeded what draws random numbers.
        confirm: called before a table is kept; it raises where the code is no longer that of ``ref.code``.

    Raises:
        FactoryError: the feature set cannot be used on this table.
    """
    fitted = any(step.scope == "fold" for step in load_steps(ref))
    parts = (dataset.key, dataset.test_key, ref.code, *([seed] if fitted else []))
    folder = cache / f"features-{fingerprint(FORMAT, *parts)}"
    y = pd.Series(dataset.y, name=dataset.schema.target)
    if not (folder / FILE).is_file():
        made = _made(dataset, ref, y)
        confirm()
        _write(folder, dataset, made)
    derivation = derivation_from(read_about(folder)["derivation"], ref)
    kinds = _row_kinds(derivation.chain, dataset.schema)
    columns = [Column(name=name, kind=kind) for name, kind in kinds.items()]
    train = read_frame(folder, "train", columns, dataset.rows)
    rows = dataset.test_rows
    test = None if rows is None else read_frame(folder, "test", columns, rows)
    return FeatureTable(derivation, train, test, y)


def derivation_state(derivation: Derivation) -> dict[str, Any]:
    """Return what is known of a feature set as JSON types."""
    kinds = [list(step.items()) for step in derivation.chain.kinds]
    return {"version": FORMAT, "kinds": kinds, "schema": derivation.schema.model_dump(mode="json")}


def derivation_from(state: dict[str, Any], ref: FeaturesRef) -> Derivation:
    """Return what `derivation_state` was given, with the steps as their files have them now."""
    chain = FeatureChain(load_steps(ref), tuple(dict(kinds) for kinds in state["kinds"]))
    return Derivation(chain, Schema.model_validate(state["schema"]))


def kinds_of(schema: Schema) -> Kinds:
    """Return what the cells of each column are that feature sets see."""
    return {column.name: column.kind for column in raw_schema(schema).features}


def _made(dataset: Dataset, ref: FeaturesRef, y: pd.Series[Any]) -> FeatureTable:
    raw = dataset.raw("train")
    recorded = record(load_steps(ref), raw, y, kinds_of(dataset.schema))
    chain = recorded.chain
    derivation = Derivation(chain, _derived(dataset.schema, raw, recorded.last, chain.kinds[-1], ref.name))
    test = None if dataset.test is None else chain.rows(dataset.raw("test"))
    return FeatureTable(derivation, recorded.rows, test, y)


def _derived(base: Schema, raw: pd.DataFrame, last: pd.DataFrame, kinds: Kinds, name: str) -> Schema:
    """Infer the schema of a feature set's table; what came back untouched is what the experiment says."""
    if base.target in last:
        raise FactoryError(f"feature set '{name}': column '{base.target}' has the target's name; choose another one")
    known = {column.name: column for column in base.columns}

    def column(label: str, kind: ColumnKind) -> Column:
        if label in known and label in raw and last[label].equals(raw[label]):
            return known[label]
        return describe_column(last[label], label, kind)

    schema = base.model_copy(update={"columns": tuple(column(label, kind) for label, kind in kinds.items())})
    if not schema.features:
        raise FactoryError(f"feature set '{name}': no column is left that models could learn from")
    return schema


def _row_kinds(chain: FeatureChain, base: Schema) -> Kinds:
    return chain.kinds[chain.row_steps - 1] if chain.row_steps else kinds_of(base)


def _rows(frame: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    return frame.iloc[rows].reset_index(drop=True)


def _write(folder: Path, dataset: Dataset, table: FeatureTable) -> None:
    keys = {"key": dataset.key, "test_key": dataset.test_key}
    about = {**keys, "derivation": derivation_state(table.derivation)}
    write_folder(folder, about, {"train": table.train, "test": table.test}, {})
