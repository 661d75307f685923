"""Learning curves of an attempt: one a split, their mean, and few enough points for a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.store.event_log import Report

Curve = list[tuple[int, float]]
"""Points (epoch from 1, value), by epoch."""

POINTS = 50
"""A curve is thinned to about so many points: MLflow writes 5 of them in a millisecond."""


def curves(reports: Sequence[Report], value: str, loss: str) -> dict[str, Curve]:
    """Return curves by name: ``<value>/mean``, ``<value>/s0`` …, and the same under ``loss`` where it was reported."""
    return _named(value, reports, lambda report: report.value) | _named(loss, reports, lambda report: report.loss)


def _named(name: str, reports: Sequence[Report], pick: Callable[[Report], float | None]) -> dict[str, Curve]:
    splits: dict[int, dict[int, float]] = {}
    for report in reports:
        value = pick(report)
        if value is not None and math.isfinite(value):
            splits.setdefault(report.split, {})[report.epoch] = value
    if not splits:
        return {}
    kept = thin(sorted({epoch for points in splits.values() for epoch in points}))
    named = {f"{name}/mean": mean(list(splits.values()), kept)}
    for split, points in sorted(splits.items()):
        named[f"{name}/s{split}"] = [(epoch, points[epoch]) for epoch in _kept_of(points, kept)]
    return named


def mean(splits: Sequence[Mapping[int, float]], epochs: Iterable[int]) -> Curve:
    """Return the mean over splits at each epoch.

    A split that ended counts with its last value: left out, it would make the mean jump when it ends, for no other
    reason than that the splits left are easier or harder ones.
    """
    curve: Curve = []
    last = [max(points) for points in splits]
    for epoch in epochs:
        values = [points.get(min(epoch, end)) for points, end in zip(splits, last, strict=True)]
        present = [value for value in values if value is not None]
        if present:
            curve.append((epoch, math.fsum(present) / len(present)))
    return curve


def _kept_of(points: dict[int, float], kept: Sequence[int]) -> list[int]:
    """Return the kept epochs that a split has, and its own last one."""
    return sorted({epoch for epoch in kept if epoch in points} | {max(points)})


def thin(epochs: Sequence[int], points: int = POINTS) -> list[int]:
    """Return at most ``points`` of the epochs, evenly spread, the first and the last among them."""
    if len(epochs) <= points:
        return list(epochs)
    last = len(epochs) - 1
    return [epochs[round(index * last / (points - 1))] for index in range(points)]
