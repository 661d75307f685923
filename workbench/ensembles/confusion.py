"""Metrics of labels from many confusion matrices at once.

The formulas are those of `workbench.metrics.classes`, which the tests hold them to: a blender asks for thousands, of so
few rows each that calling the metric's own function would be most of the work.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.metrics import ACCURACY, BALANCED_ACCURACY, F1, F1_MACRO, MCC, QWK, Array, MetricFunction


def _ratio(part: Array, whole: Array, empty: float = 0.0) -> Array:
    ratio: Array = np.divide(part, whole, out=np.full(np.shape(whole), empty), where=whole > 0.0)
    return ratio


def _hits(tables: Array) -> Array:
    hits: Array = np.diagonal(tables, axis1=1, axis2=2)
    return hits


def _accuracy(tables: Array) -> Array:
    return _ratio(_hits(tables).sum(axis=1), tables.sum(axis=(1, 2)), np.nan)


def _balanced_accuracy(tables: Array) -> Array:
    rows = tables.sum(axis=2)
    return _ratio(_ratio(_hits(tables), rows).sum(axis=1), (rows > 0.0).sum(axis=1).astype(np.float64), np.nan)


def _f1_by_class(tables: Array) -> Array:
    return _ratio(2.0 * _hits(tables), tables.sum(axis=1) + tables.sum(axis=2))


def _f1(tables: Array) -> Array:
    positive: Array = _f1_by_class(tables)[:, 1]
    return positive


def _f1_macro(tables: Array) -> Array:
    present = (tables.sum(axis=1) + tables.sum(axis=2)) > 0.0
    return _ratio(_f1_by_class(tables).sum(axis=1), present.sum(axis=1).astype(np.float64), np.nan)


def _mcc(tables: Array) -> Array:
    true, given, rows = tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2))
    spread = (rows**2 - (true**2).sum(axis=1)) * (rows**2 - (given**2).sum(axis=1))
    covariance = _hits(tables).sum(axis=1) * rows - (true * given).sum(axis=1)
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0.0)))


def _qwk(tables: Array) -> Array:
    classes = np.arange(tables.shape[1], dtype=np.float64)
    rows = np.maximum(tables.sum(axis=(1, 2)), np.finfo(np.float64).tiny)[:, None]
    true, given = tables.sum(axis=2) / rows, tables.sum(axis=1) / rows
    left, right = (classes - (true @ classes)[:, None]), (classes - (given @ classes)[:, None])
    together = np.einsum("cij,ci,cj->c", tables / rows[:, None], left, right)
    by_chance = (true * left**2).sum(axis=1) + (given * right**2).sum(axis=1) + (left - right)[:, 0] ** 2
    return _ratio(2.0 * together, by_chance, np.nan)


SCORES: dict[MetricFunction, Callable[[Array], Array]] = {
    ACCURACY.function: _accuracy,
    BALANCED_ACCURACY.function: _balanced_accuracy,
    F1.function: _f1,
    F1_MACRO.function: _f1_macro,
    MCC.function: _mcc,
    QWK.function: _qwk,
}
"""By a metric's function: its scores ``(tables,)`` of confusion matrices ``(tables, true classes, given classes)``."""
