"""Metrics of probabilities."""

from __future__ import annotations

from functools import cache

import numpy as np

from workbench.errors import ConfigError
from workbench.metrics.averages import mean
from workbench.metrics.metric import Array, Metric


def _auc(y: Array, p: Array, weight: Array | None) -> float:
    """Area under the ROC curve: the share of pairs that are in order; ties count one half (Hanley and McNeil, 1982).

    Sorting values and counting is several times as fast as ranking by `argsort`; blenders ask thousands of times.
    """
    up, down = y == 1, y != 1
    if weight is None:
        negatives, positives = np.sort(p[down]), np.sort(p[up])
        below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
        pairs = len(negatives) * len(positives)
        return float(below.sum() / (2 * pairs)) if pairs else float("nan")
    order = np.argsort(p[down], kind="stable")
    negatives = p[down][order]
    mass = np.r_[0.0, np.cumsum(weight[down][order])]
    left, right = (mass[np.searchsorted(negatives, p[up], side)] for side in ("left", "right"))
    total = mass[-1] * weight[up].sum()
    return float((weight[up] * (left + right)).sum() / (2.0 * total)) if total > 0.0 else float("nan")


def _log_loss(y: Array, p: Array, weight: Array | None) -> float:
    p = np.asarray(p, dtype=np.float64)
    tiny = np.finfo(np.float64).eps
    if p.ndim == 1:
        chosen = np.where(y == 1, p, 1.0 - p)
    else:
        chosen = p[np.arange(len(y)), y.astype(np.int64)] / p.sum(axis=1)
    return mean(-np.log(np.clip(chosen, tiny, 1.0)), weight)


def _average_precision(y: Array, p: Array, weight: Array | None) -> float:
    """Average precision: the precision at each distinct probability, weighted by the recall that it adds.

    0 where nothing is positive. Without interpolation, as scikit-learn has it: trapezoids would be too optimistic.
    """
    order = np.argsort(-p, kind="stable")
    ranked, counts = p[order], np.ones(len(p)) if weight is None else weight[order]
    last = np.r_[np.flatnonzero(ranked[1:] != ranked[:-1]), len(p) - 1]
    hits, seen = np.cumsum(counts * (y[order] == 1))[last], np.cumsum(counts)[last]
    if hits[-1] <= 0.0:
        return 0.0
    precision = np.divide(hits, seen, out=np.zeros(len(last)), where=seen > 0.0)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


@cache
def map_at(text: str) -> Metric:
    """Return ``map_at_<K>``: the mean of ``1 / rank`` of the true class, 0 where it is not among the first ``K``.

    Mean average precision at ``K`` where each row has one true class. Of equal probabilities the earlier class comes
    first, as in a submission that is sorted by a stable sort.

    Raises:
        ConfigError: ``text`` is no whole number from 1.
    """
    if not text.isdecimal() or text != str(int(text)) or text == "0":
        raise ConfigError(f"map_at_<K>: K is a whole number from 1, such as map_at_3, received '{text}'")
    most = int(text)

    def function(y: Array, p: Array, weight: Array | None) -> float:
        p = np.column_stack([1.0 - p, p]) if p.ndim == 1 else p
        true = y.astype(np.int64)[:, None]
        own = np.take_along_axis(p, true, axis=1)
        before = (p > own) | ((p == own) & (np.arange(p.shape[1]) < true))
        rank = 1 + before.sum(axis=1)
        return mean(np.where(rank <= most, 1.0 / rank, 0.0), weight)

    return Metric(f"map_at_{most}", function, "maximize", "probabilities", monitor="log_loss")


def ranked_labels(metric: Metric) -> int | None:
    """Return how many labels a row has where the metric is ``map_at_<K>``, else ``None``."""
    most = metric.name.removeprefix("map_at_")
    ours = most.isdecimal() and most != metric.name and metric.function is map_at(most).function
    return int(most) if ours else None


AUC = Metric("auc", _auc, "maximize", "probabilities")
AVERAGE_PRECISION = Metric("average_precision", _average_precision, "maximize", "probabilities")
LOG_LOSS = Metric("log_loss", _log_loss, "minimize", "probabilities")
