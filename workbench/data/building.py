"""From tables to a data set: read, checked, inferred, conformed, and less what is set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from workbench.config.models import DataConfig, ExperimentConfig
from workbench.data import checks
from workbench.data.content import array_digest, frame_digest
from workbench.data.dataset import Dataset
from workbench.data.holdout import set_aside
from workbench.data.identifiers import identifiers
from workbench.data.planning import planning
from workbench.data.raw_columns import other_columns
from workbench.data.readers import read_table
from workbench.data.rows import Rows, joined, repeated_rows, widened
from workbench.data.schema import conform, infer_schema
from workbench.types import Needs, Schema, fingerprint

Array = NDArray[Any]


def load_dataset(config: ExperimentConfig, root: Path, metric_needs: Needs) -> Dataset:
    """Read, infer, check and conform an experiment's tables; paths are relative to the folder ``root``.

    Raises:
        DataError: whatever `workbench.data.readers`, `workbench.data.checks` and `workbench.data.schema` refuse.
    """
    data = config.data
    text: Collection[str] = () if data.id is None else (data.id,)
    read = partial(read_table, text=text, encoding=data.encoding)
    train = read(root / data.train)
    test = None if data.test is None else read(root / data.test)
    return build_dataset(config, train, test, metric_needs, extra=[read(root / path) for path in data.extra])


def build_dataset(
    config: ExperimentConfig,
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    metric_needs: Needs,
    *,
    extra: Sequence[pd.DataFrame] = (),
) -> Dataset:
    """Make a data set of tables that are in memory; see `load_dataset`. ``extra`` are those of ``data.extra``."""
    data, origin = config.data, f"training table {config.data.train.name}"
    train, *extra = (_plain(table) for table in (train, *extra))
    test = None if test is None else _plain(test)
    checks.check_train(train, data, origin=origin)
    hidden = () if config.folds.column is None else (config.folds.column,)
    schema, notices = infer_schema(train, data, task=config.task, metric_needs=metric_needs, hidden=hidden)
    own = Rows.of(train, schema, data, origin=origin)
    if isinstance(config.metric, str):
        checks.check_metric(config.metric, own.y, task=schema.task, classes=schema.classes)
    named = [(f"extra table {path.name}", table) for path, table in zip(data.extra, extra, strict=True)]
    rows = joined(own, _extra_rows(named, schema, data), data.extra_weight)
    ids = None if data.id is None else identifiers(train[data.id], origin=origin)
    tested, test_ids = (None, None) if test is None else _test_part(test, data, schema)
    others = other_columns(train, test, widened(schema, rows.features) if extra else schema, extra)
    told = _notices(rows, len(train), None if test is None else test.columns, data)
    whole = Dataset(
        schema=others.schema,
        features=rows.features,
        y=rows.y,
        weight=rows.weight,
        group=rows.codes(),
        ids=ids,
        test=tested,
        test_ids=test_ids,
        others=others.train,
        test_others=others.test,
        extra=len(rows.y) - len(train),
        key=_content_key(others.schema, (rows.features, others.train), (rows.y, rows.weight, rows.codes()), len(train)),
        test_key="" if tested is None or others.test is None else _test_key((tested, others.test), test_ids),
        notices=(*notices, *others.notices, *told),
        planning=planning(train, config, ids, origin=origin, extra=named),
    )
    return set_aside(whole, config)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=str).reset_index(drop=True)


def _extra_rows(extra: Sequence[tuple[str, pd.DataFrame]], schema: Schema, data: DataConfig) -> list[Rows]:
    found = []
    for origin, table in extra:
        checks.check_extra(table, data, origin=origin)
        found.append(Rows.of(table, schema, data, origin=origin))
    return found


def _test_part(test: pd.DataFrame, data: DataConfig, schema: Schema) -> tuple[pd.DataFrame, Array | None]:
    origin = f"test table {data.test.name}" if data.test is not None else "test table"
    checks.check_test(test, data, origin=origin)
    ids = None if data.id is None else identifiers(test[data.id], origin=origin)
    return conform(test, schema, origin=origin), ids


def _notices(rows: Rows, own: int, tested: Collection[str] | None, data: DataConfig) -> Iterator[str]:
    """Tell what was done with labels of the test table and with extra rows."""
    if tested is not None and data.target in tested:
        yield f"the test table has the target '{data.target}': it is dropped, nothing looks at it"
    further = len(rows.y) - own
    if further:
        repeated = repeated_rows(rows, own)
        leak = f"; {repeated} of them equal rows of the training table, whose validation they give away: remove them"
        yield f"{further} extra rows are trained on and never validated{leak if repeated else ''}"


def _content_key(schema: Schema, frames: Iterable[pd.DataFrame], arrays: Iterable[Array | None], own: int) -> str:
    """Return the key of a training table's content: 16 hexadecimal digits."""
    parts = [*(frame_digest(frame) for frame in frames), *(array_digest(array) for array in arrays)]
    return fingerprint("train", schema.model_dump(mode="json", exclude={"rows"}), own, *parts)


def _test_key(frames: Iterable[pd.DataFrame], ids: Array | None) -> str:
    text = ids.astype(str) if ids is not None and ids.dtype == object else ids
    return fingerprint("test", *(frame_digest(frame) for frame in frames), array_digest(text))
