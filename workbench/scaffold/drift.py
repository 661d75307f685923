"""How the test rows differ from the training rows: column by column, and as a classifier sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.metrics import AUC
from workbench.scaffold.strength import as_float

Array = NDArray[Any]
MOST_ROWS = 20_000
MOST_CELLS = 400_000
"""The classifier takes a second or two on so many."""
FEWEST_ROWS = 200
ROUNDS = 40
SMALLEST = 0.05
"""Distances below this are of no interest, however sure."""


def distances(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Return the columns of conformed tables that drift, with their distance from 0 to 1, the largest first.

    The distance is Kolmogorov and Smirnov's for numbers and dates, and the total variation for categories (the missing
    being one). Listed are those beyond what chance gives to the largest of so many columns.
    """
    train, test = (_sampled(frame, MOST_ROWS) for frame in (train, test))
    rows = len(train) * len(test) / (len(train) + len(test))
    likely = np.sqrt(np.log(2 * train.shape[1] / 0.001) / 2 / rows)
    found = {}
    for name in train.columns:
        if train[name].dtype == object:
            distance, chance = _total_variation(train[name], test[name], rows)
        else:
            distance, chance = _kolmogorov_smirnov(train[name].to_numpy(), test[name].to_numpy()), 0.0
        if distance > max(SMALLEST, chance + likely):
            found[str(name)] = distance
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def adversarial_auc(train: pd.DataFrame, test: pd.DataFrame) -> tuple[float, float, tuple[str, ...]] | None:
    """Return how well LightGBM tells test rows from training rows, a bound that chance keeps, and the columns it used.

    The area under the ROC curve on rows it was not fitted on; ``None`` for tables too small to tell.
    """
    if min(len(train), len(test)) < FEWEST_ROWS:
        return None
    import lightgbm

    most = max(FEWEST_ROWS, MOST_CELLS // (2 * train.shape[1]))
    train, test = (_sampled(frame, most) for frame in (train, test))
    both = pd.concat([train, test], ignore_index=True)
    matrix = np.column_stack([_numbers(both[name]) for name in both.columns])
    y = np.r_[np.zeros(len(train)), np.ones(len(test))]
    half = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    options = {"objective": "binary", "num_leaves": 15, "max_bin": 63, "num_threads": 2, "verbosity": -1, "seed": 0}
    predicted, gains = np.empty(len(y)), np.zeros(matrix.shape[1])
    for seen in (half, ~half):
        booster = lightgbm.train(options, lightgbm.Dataset(matrix[seen], y[seen]), num_boost_round=ROUNDS)
        predicted[~seen] = np.asarray(booster.predict(matrix[~seen]))
        gains += booster.feature_importance("gain")
    bound = 0.5 + max(0.05, 4 * np.sqrt((len(y) + 1) / (12 * len(train) * len(test))))
    used = tuple(str(both.columns[position]) for position in np.argsort(-gains)[:3] if gains[position] > 0)
    return AUC.function(y, predicted, None), float(bound), used


def unseen_share(train: pd.Series[Any], test: pd.Series[Any]) -> float:
    """Return the share of a test column's present cells whose category the training table lacks."""
    present = test.dropna()
    return float((~present.isin(train.unique())).mean()) if len(present) else 0.0


def _sampled(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    return frame if len(frame) <= most else frame.sample(most, random_state=0)


def _numbers(column: pd.Series[Any]) -> Array:
    if column.dtype == object:
        return np.asarray(pd.factorize(column, sort=True)[0], dtype=np.float64)
    return as_float(column.to_numpy())


def _kolmogorov_smirnov(train: Array, test: Array) -> float:
    """Return the largest distance of two distribution functions; the missing count as the smallest value."""
    left, right = (np.sort(np.where(np.isnan(part), -np.inf, part)) for part in map(as_float, (train, test)))
    values = np.unique(np.r_[left, right])
    shares = [np.searchsorted(part, values, side="right") / len(part) for part in (left, right)]
    return float(np.abs(shares[0] - shares[1]).max())


def _total_variation(train: pd.Series[Any], test: pd.Series[Any], rows: float) -> tuple[float, float]:
    """Return the total variation of two samples, and what it is on average if both are drawn alike."""
    shares = pd.concat([part.fillna("").value_counts(normalize=True) for part in (train, test)], axis=1).fillna(0.0)
    left, right = shares.to_numpy().T
    pooled = (left * len(train) + right * len(test)) / (len(train) + len(test))
    chance = 0.5 * np.sqrt(2 / np.pi * pooled * (1 - pooled) / rows).sum()
    return float(0.5 * np.abs(left - right).sum()), float(chance)
