"""Metrics of class labels. They move in steps: early stopping watches log loss instead."""

from __future__ import annotations

import numpy as np

from workbench.metrics.averages import mean
from workbench.metrics.metric import Array, Metric


def _confusion(y: Array, codes: Array, weight: Array | None) -> Array:
    """Return the weight of the rows of each true class (row) that were given each class (column)."""
    y, codes = y.astype(np.int64), codes.astype(np.int64)
    size = int(max(y.max(), codes.max())) + 1
    cells = np.bincount(y * size + codes, weights=weight, minlength=size * size)
    return cells.reshape(size, size).astype(np.float64)


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; what is empty counts 0, as in scikit-learn."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0.0)


def _accuracy(y: Array, codes: Array, weight: Array | None) -> float:
    return mean((y == codes).astype(np.float64), weight)


def _balanced_accuracy(y: Array, codes: Array, weight: Array | None) -> float:
    """Mean recall of the classes that occur in ``y`` (Brodersen et al., 2010)."""
    table = _confusion(y, codes, weight)
    rows = table.sum(axis=1)
    return float(_ratio(table.diagonal(), rows)[rows > 0.0].mean()) if rows.any() else float("nan")


def _f1_by_class(y: Array, codes: Array, weight: Array | None) -> Array:
    table = _confusion(y, codes, weight)
    return _ratio(2.0 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1))


def _f1(y: Array, codes: Array, weight: Array | None) -> float:
    """F1 of the positive class: ``2 TP / (2 TP + FP + FN)``; 0 where nothing is positive, nor predicted to be."""
    scores = _f1_by_class(y, codes, weight)
    return float(scores[1]) if len(scores) > 1 else 0.0


def _f1_macro(y: Array, codes: Array, weight: Array | None) -> float:
    """Mean F1 of the classes that occur in ``y`` or were predicted."""
    scores = _f1_by_class(y, codes, weight)
    present = np.bincount(np.r_[y, codes].astype(np.int64), minlength=len(scores)) > 0
    return float(scores[present].mean())


def _mcc(y: Array, codes: Array, weight: Array | None) -> float:
    """Matthews correlation coefficient, for many classes after Gorodkin (2004); 0 where one side is constant."""
    table = _confusion(y, codes, weight)
    true, predicted, rows = table.sum(axis=1), table.sum(axis=0), table.sum()
    spread = (rows**2 - true @ true) * (rows**2 - predicted @ predicted)
    covariance = table.trace() * rows - true @ predicted
    return float(covariance / np.sqrt(spread)) if spread > 0.0 else 0.0


def _qwk(y: Array, codes: Array, weight: Array | None) -> float:
    """Quadratic weighted kappa (Cohen, 1968): 1 less the squared distance of the classes over that expected by chance.

    The distance of two classes is that of their positions in the order of ``Problem.classes``. The sums over the
    confusion matrix come down to moments, those of Lin's concordance (1989). NaN where both are the same constant.
    """
    left, right = mean(y, weight), mean(codes, weight)
    y, codes = y - left, codes - right
    by_chance = mean(y**2, weight) + mean(codes**2, weight) + (left - right) ** 2
    return 2.0 * mean(y * codes, weight) / by_chance if by_chance > 0.0 else float("nan")


ACCURACY = Metric("accuracy", _accuracy, "maximize", "labels", monitor="log_loss")
BALANCED_ACCURACY = Metric("balanced_accuracy", _balanced_accuracy, "maximize", "labels", monitor="log_loss")
F1 = Metric("f1", _f1, "maximize", "labels", monitor="log_loss")
F1_MACRO = Metric("f1_macro", _f1_macro, "maximize", "labels", monitor="log_loss")
MCC = Metric("mcc", _mcc, "maximize", "labels", monitor="log_loss")
QWK = Metric("qwk", _qwk, "maximize", "labels", monitor="log_loss")
