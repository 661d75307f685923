"""A run of the contest of methods, and its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from benchmarks.blends.cases import CONVEX
from benchmarks.blends.contest import NOT_APPLICABLE, Blended, title
from benchmarks.harness import figure
from benchmarks.measurement import Result
from workbench.metrics import load_metric
from workbench.types import MetricRef

OTHER_SETS = ("stacking", "geometric_mean", "rank_average", "auto")
"""Methods that may find what is no weighted average, and may be better than the best of these."""

HEADINGS = ("members", "rows", "method", "score", "behind", "gap", "seconds", "MB more")


class Methods(Result):
    """A run of the contest, as it is kept."""

    limit_s: float
    """Of a case; a few have longer."""
    blended: tuple[Blended, ...]


def tables(blended: Sequence[Blended]) -> list[Table]:
    """Return a table for each metric."""
    return [_table(metric, list(group)) for metric, group in groupby(blended, key=lambda one: one.metric)]


def _table(metric: str, blended: Sequence[Blended]) -> Table:
    sign = "↓" if _loss(metric, 1.0) > 0 else "↑"
    least = "the certified best" if metric in CONVEX else "the best that was found"
    shown = Table(
        title=f"{metric} {sign}",
        caption=f"scores of the rows fitted on; behind: above {least} of weighted averages, which stacks and other "
        "means are not; MB more: beside the predictions; * of a real search",
    )
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading == "method" else "right")
    for (members, rows, real), group in groupby(blended, key=lambda one: (one.members, one.rows, one.real)):
        case = [one for one in group if not one.failure.startswith(NOT_APPLICABLE)]
        lowest = _lowest(metric, case)
        for place, one in enumerate(case):
            where = (f"{members}{' *' if real else ''}", f"{rows:,}") if place == 0 else ("", "")
            shown.add_row(*where, title(one.contender), *_cells(metric, one, lowest))
        shown.add_section()
    return shown


def _lowest(metric: str, case: Sequence[Blended]) -> float:
    """Return a lower bound of the loss where one is certified, else the lowest loss that was found."""
    if metric in CONVEX:
        certified = [one.loss - one.gap for one in case if one.gap is not None and one.known]
        if certified:
            return max(certified)
    return min((one.loss for one in case if one.known and one.contender not in OTHER_SETS), default=math.nan)


def _cells(metric: str, one: Blended, lowest: float) -> tuple[str, str, str, str, str]:
    if not one.known:
        return "", "", "", one.failure, ""
    seconds = one.failure if not one.finished else f"{one.seconds:.3g}"
    gap = "" if one.gap is None else f"{one.gap:.1e}"
    return f"{_loss(metric, one.loss):.6f}", f"{one.loss - lowest:.1e}", gap, seconds, figure(one.extra_mb)


def _loss(metric: str, value: float) -> float:
    return load_metric(MetricRef(name=metric)).loss(value)
