"""What a modeller should know of the tables before the first model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.data import Dataset
from workbench.scaffold.drift import adversarial_auc, distances, unseen_share
from workbench.scaffold.inference import Finding
from workbench.scaffold.strength import NAMES, coded, strength

Array = NDArray[Any]
MOST_ROWS = 20_000
"""Single columns are judged on a sample of so many rows."""
TELLING = {"binary": 0.98, "multiclass": 0.95, "regression": 0.98}
"""From this strength on, one column alone is too good to be true."""
ORDERED = {"binary": 0.6, "multiclass": 0.05, "regression": 0.05}
"""From this strength on, the order of the rows tells of the target."""
NOTEWORTHY = 0.01
"""A larger share of repeated rows is worth a warning."""
RARE = 0.05
MANY = 0.5
UNSEEN = 0.01
MOST_NAMED = 6


def observe(data: Dataset, told: Mapping[str, float], splits: int) -> tuple[Finding, ...]:
    """Look for what misleads: warnings first. ``told`` is what `strengths` returns."""
    found = [*_rows(data), *_drift(data), *_telling(data, told), *_order(data), *_target(data, splits), *_columns(data)]
    found += [Finding(notice, warning=False) for notice in data.notices]
    return tuple(sorted(found, key=lambda finding: not finding.warning))


def strengths(data: Dataset) -> dict[str, float]:
    """Return what each feature alone tells of the target, on a sample, the strongest first."""
    rows = _sample(data)
    y, task = data.y[rows], data.schema.task
    told = {str(name): strength(coded(data.features[name].iloc[rows]), y, task) for name in data.features.columns}
    return dict(sorted(told.items(), key=lambda item: -item[1] if item[1] == item[1] else np.inf))


def _sample(data: Dataset) -> Array:
    if data.rows <= MOST_ROWS:
        return np.arange(data.rows)
    return np.sort(np.random.default_rng(0).choice(data.rows, MOST_ROWS, replace=False))


def _rows(data: Dataset) -> Iterator[Finding]:
    """Tell of rows that are there more than once."""
    keys = _row_keys(data.features, data.others)
    if count := int(pd.Series(keys).duplicated().sum()):
        targets = pd.Series(data.y).groupby(keys).nunique()
        torn = int((targets > 1).sum())
        more = f"{torn:,} of them with another target" if torn else "always with the same target, as copies have"
        share = f"{count:,} of {data.rows:,}"
        yield Finding(
            f"training rows that repeat another one: {share}, {more}; in two folds they flatter the score",
            warning=count > NOTEWORTHY * data.rows,
        )
    if data.test is not None:
        shared = int(np.isin(_row_keys(data.test, data.test_others), keys).sum())
        if shared:
            text = f"test rows that repeat a training row, but for the target: {shared:,} of {len(data.test):,}"
            yield Finding(text, warning=shared > NOTEWORTHY * len(data.test))


def _row_keys(features: pd.DataFrame, others: pd.DataFrame | None) -> Array:
    """Return a key of each row: its features, and free text that models do not see, such as names."""
    text = [] if others is None else [others[name] for name in others if others[name].dtype == object]
    return np.asarray(pd.util.hash_pandas_object(pd.concat([features, *text], axis=1), index=False))


def _drift(data: Dataset) -> Iterator[Finding]:
    if data.test is None:
        return
    worst = distances(data.features, data.test)
    if worst:
        named = ", ".join(f"'{name}' {distance:.2f}" for name, distance in list(worst.items())[:MOST_NAMED])
        more = f" and {len(worst) - MOST_NAMED} more" if len(worst) > MOST_NAMED else ""
        yield Finding(f"train and test differ in {named}{more} (0: alike, 1: apart)", tuple(worst), "drifts")
    told = adversarial_auc(data.features, data.test)
    if told is not None:
        auc, bound, used = told
        if auc > bound:
            names = ", ".join(f"'{name}'" for name in used)
            yield Finding(
                f"a classifier tells test from training rows with AUC {auc:.2f}, by {names}: scores of folds may not "
                "carry over"
            )
        else:
            yield Finding(f"test and training rows look alike (a classifier's AUC is {auc:.2f})", warning=False)
    yield from _unseen(data.features, data.test)


def _unseen(train: pd.DataFrame, test: pd.DataFrame) -> Iterator[Finding]:
    shares = {str(name): unseen_share(train[name], test[name]) for name in train if train[name].dtype == object}
    many = {name: share for name, share in shares.items() if share > UNSEEN}
    if many:
        named = ", ".join(f"'{name}' {share:.0%}" for name, share in list(many.items())[:MOST_NAMED])
        yield Finding(f"test cells of categories that no training row has: {named}", tuple(many), warning=False)


def _telling(data: Dataset, strengths: Mapping[str, float]) -> Iterator[Finding]:
    task = data.schema.task
    for name, told in strengths.items():
        if not told >= TELLING[task]:
            break
        how = "each of its values goes with one value of the target" if _one_to_one(data, name) else "alone"
        yield Finding(
            f"'{name}' gives the target away: {how}, {NAMES[task]} {told:.3f}; is it known when predicting? If not: "
            "data.drop",
            (name,),
            "gives the target away",
        )


def _one_to_one(data: Dataset, name: str) -> bool:
    pairs = pd.DataFrame({"value": data.features[name], "y": data.y}).dropna().drop_duplicates()
    return bool(pairs["value"].is_unique and len(pairs) < data.rows / 2)


def _order(data: Dataset) -> Iterator[Finding]:
    rows = _sample(data)
    told = strength(coded(pd.Series(rows)), data.y[rows], data.schema.task)
    if told > ORDERED[data.schema.task]:
        yield Finding(
            f"the order of the rows tells of the target ({NAMES[data.schema.task]} {told:.2f}): sorted, or collected "
            "over time; keep row numbers out of the features"
        )


def _target(data: Dataset, splits: int) -> Iterator[Finding]:
    if data.schema.task == "regression":
        values, counts = np.unique(data.y, return_counts=True)
        if counts.max() > RARE * data.rows and len(values) > MOST_ROWS // 1000:
            top = values[counts.argmax()]
            yield Finding(f"{counts.max() / data.rows:.0%} of the targets are {top:g}: capped, or a default?", (), "")
        return
    counts = np.bincount(data.y, minlength=len(data.schema.classes))
    named = list(zip(data.schema.classes, counts.tolist(), strict=True))
    few = [f"{label!r} ({count})" for label, count in named if count < splits]
    if few:
        yield Finding(f"classes with fewer rows than there are folds: {', '.join(few)}")
    bound = RARE * data.rows * (2 if len(named) == 2 else 1)
    rare = [f"{label!r} {count / data.rows:.1%}" for label, count in named if splits <= count < bound]
    if rare:
        listed = ", ".join(rare[:MOST_NAMED]) + (", …" if len(rare) > MOST_NAMED else "")
        yield Finding(f"rare classes: {listed}; accuracy says little", warning=False)


def _columns(data: Dataset) -> Iterator[Finding]:
    many = tuple(c.name for c in data.schema.features if c.kind == "categorical" and c.size > MANY * data.rows)
    if many:
        named = ", ".join(f"'{name}'" for name in many[:MOST_NAMED])
        yield Finding(f"more than one category in two rows: {named}; think of groups, or of features", many, "", False)
