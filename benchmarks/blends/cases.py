"""The contest's cases: members by metric, number and rows; real ones where there are few of both."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.blends.contest import Case
from benchmarks.blends.generated import generate
from benchmarks.blends.searched import Searched
from workbench.ensembles.members import Members
from workbench.seeds import derive_seed

REAL = {"log_loss": "spambase", "rmse": "california_housing", "auc": "telco_churn", "qwk": "wine_quality"}
"""Whose out-of-fold predictions the small cases of a metric are."""
CONVEX = ("log_loss", "rmse")
"""Metrics whose best weights are a convex problem."""
STEPS = ("auc", "qwk")
"""Metrics that are piecewise constant."""

COUNTS, ROWS = (5, 20, 50, 200), (2_000, 100_000, 1_000_000)
QUICK_COUNTS, QUICK_ROWS = (5, 20), (2_000, 100_000)
COMPARED = ((5, 2_000), (20, 2_000), (50, 2_000), (5, 100_000), (20, 100_000))
"""Members and rows in which methods are to be at least as good as the others, in each of `STEPS`: ten cases."""
LONGER = 4.0
"""There everyone has so many times as long."""


def cases(cache: Path, limit: float, *, quick: bool, metrics: Collection[str] = tuple(REAL)) -> Iterator[Case]:
    """Yield the cases, metric by metric, with the seconds that anyone may take."""
    counts, sizes = (QUICK_COUNTS, QUICK_ROWS) if quick else (COUNTS, ROWS)
    for metric, name in REAL.items():
        if metric not in metrics:
            continue
        found = real(cache, name)
        for rows in sizes:
            made: Members | None = None
            for count in counts:
                seconds = LONGER * limit if compared(metric, count, rows) and not quick else limit
                if rows == min(ROWS) and found is not None and count <= len(found):
                    yield Case(found.take(range(count)), rows, seconds, real=True)
                    continue
                made = generate(metric, rows, max(counts)) if made is None else made
                yield Case(first(made, count), rows, seconds)


def compared(metric: str, count: int, rows: int) -> bool:
    """Say whether a case is one of the ten."""
    return metric in STEPS and (count, rows) in COMPARED


def first(members: Members, count: int) -> Members:
    """Return the first members; their predictions are no copy."""
    return replace(members, refs=members.refs[:count], predictions=members.predictions[:count])


def real(cache: Path, name: str) -> Members | None:
    """Return a search's members, the best of each family first, on so many random rows; ``None`` if there is none."""
    try:
        members = Searched.read(cache, name).members
    except FileNotFoundError:
        return None
    generator = np.random.default_rng(derive_seed(0, "rows", name))
    rows = generator.choice(len(members.row), min(len(members.row), min(ROWS)), replace=False)
    keep = np.zeros(len(members.row), dtype=bool)
    keep[rows] = True
    return members.take(_in_turn(members)).rows_where(keep)


def _in_turn(members: Members) -> list[int]:
    """Return the members' places: the best of each family, best first, then the second of each, and so on."""
    losses = [members.metric.loss(ref.score) for ref in members.refs]
    seen: dict[str, int] = {}
    keys = []
    for i in sorted(range(len(members)), key=losses.__getitem__):
        family = members.refs[i].family
        seen[family] = seen.get(family, 0) + 1
        keys.append((seen[family], losses[i], i))
    return [i for _, _, i in sorted(keys)]
