"""From tables to a folder with ``experiment.yaml``, ``features.py`` and ``factories.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.config import ExperimentConfig, config_from_mapping
from workbench.config.models import DEFAULT_FAMILIES
from workbench.data import Dataset, build_dataset, make_plan
from workbench.delivery.layout import make_layout
from workbench.delivery.submission import expected_ids
from workbench.metrics import ranked_labels
from workbench.scaffold.code_files import factories_code, features_code
from workbench.scaffold.columns import ColumnSummary, summarize
from workbench.scaffold.files import check_free, write
from workbench.scaffold.findings import observe, strengths
from workbench.scaffold.grouping import groups_and_time
from workbench.scaffold.inference import Finding, Inference
from workbench.scaffold.metric import choose_metric
from workbench.scaffold.proof import prove
from workbench.scaffold.roles import roles
from workbench.scaffold.table_checks import check_cells, check_target
from workbench.scaffold.tables import Frames, Tables, path_from, read_frames
from workbench.scaffold.yaml_file import Contents, experiment_yaml

FEW_ROWS = 500


@dataclass(frozen=True)
class Scaffold:
    """What was written, and what was seen on the way."""

    folder: Path
    files: tuple[Path, ...]
    inferences: tuple[Inference, ...]
    findings: tuple[Finding, ...]
    columns: tuple[ColumnSummary, ...]
    shape: str


def create(folder: Path, tables: Tables, *, force: bool = False) -> Scaffold:
    """Look at the tables and write the files that an experiment begins with; all of them or none.

    Raises:
        ConfigError: the folder holds an experiment already and ``force`` is off, or the metric is unknown.
        DataError: a table cannot be read or used, does not tell which column is the target, or the sample submission
            does not fit the others.
    """
    check_free(folder, force=force)
    frames = read_frames(tables)
    check_cells(frames, tables)
    inferences = [*_paths(folder, tables), *roles(frames, tables.target, tables.id)]
    target = next(inference.value for inference in inferences if inference.key == "data.target")
    check_target(frames, tables, target)
    metric, scored = choose_metric(frames.train[target], tables.metric)
    taken = [name for inference in inferences for name in _names(inference.value)]
    inferences += [*groups_and_time(frames, taken), metric]
    config = _config(inferences)
    data = build_dataset(config, frames.train, frames.test, scored.needs)
    if frames.sample is not None:
        layout = make_layout(data.schema, scored.needs, frames.sample, ranked=ranked_labels(scored))
        expected_ids(layout, data.test_ids, frames.sample)
    inferences += [*_task(data), *_folds(data, config), _families(data)]
    told = strengths(data)
    findings = observe(data, told, config.folds.splits)
    columns = summarize(frames.train, data, inferences, findings, told)
    contents = Contents(inferences, findings, columns, _shape(frames))
    texts = {
        "experiment.yaml": experiment_yaml(contents),
        "features.py": features_code(data, told),
        "factories.py": factories_code(data),
    }
    prove(texts, config)
    return Scaffold(folder, write(folder, texts), tuple(inferences), findings, columns, contents.shape)


def _paths(folder: Path, tables: Tables) -> Iterator[Inference]:
    for key in ("train", "test", "sample_submission"):
        path = getattr(tables, key)
        if path is not None:
            yield Inference(f"data.{key}", path_from(folder, path), "")
    if tables.encoding is not None:
        yield Inference("data.encoding", tables.encoding, "as told by --encoding")


def _names(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _config(inferences: Sequence[Inference]) -> ExperimentConfig:
    mapping: dict[str, Any] = {"data": {}}
    for inference in inferences:
        section, _, key = inference.key.rpartition(".")
        if inference.sure:
            (mapping.setdefault(section, {}) if section else mapping)[key] = inference.value
    return config_from_mapping(mapping, "workbench init")


def _task(data: Dataset) -> Iterator[Inference]:
    schema = data.schema
    what = "a quantity" if schema.task == "regression" else f"{len(schema.classes)} classes"
    reason = f"the target holds {what}, and the metric fits that"
    yield Inference("task", schema.task, reason, sure=False)
    if schema.task == "binary" and isinstance(schema.classes[1], str):
        other, shown = schema.classes
        reason = f"predictions are the probability of {shown!r}, the later one in the alphabet; {other!r} for the other"
        yield Inference("data.positive", shown, reason, sure=False)


def _folds(data: Dataset, config: ExperimentConfig) -> Iterator[Inference]:
    """Yield what few rows ask for; raise `DataError` where the default plan cannot be made."""
    make_plan(data, config.folds, config.seed)
    if data.rows < FEW_ROWS:
        reason = f"{data.rows} rows: one plan is a noisy judge; 3 cost three times as much"
        yield Inference("folds.repeats", 3, reason, sure=False)


def _families(data: Dataset) -> Inference:
    width = len(data.schema.features)
    reason = "Models that are searched, cheap ones first; all but dummy are blended."
    if width > data.rows:
        reason += f" With {width:,} columns on {data.rows:,} rows 'linear' is hard to beat."
    elif data.rows < FEW_ROWS:
        reason += (
            f" With {data.rows} rows, simple models may do as well: try 'random_forest' and 'knn' beside 'linear'."
        )
    return Inference("families", DEFAULT_FAMILIES, reason)


def _shape(frames: Frames) -> str:
    train = f"Training table: {len(frames.train):,} rows, {frames.train.shape[1]:,} columns."
    return train if frames.test is None else f"{train} Test table: {len(frames.test):,} rows."
