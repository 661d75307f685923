"""What is asked of the methods, as measurements."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from benchmarks.blends.cases import COMPARED, CONVEX, COUNTS, ROWS, STEPS
from benchmarks.blends.contest import SMALL, Blended, Found, own
from benchmarks.blends.forked import forked
from benchmarks.blends.generated import generate
from benchmarks.blends.rivals import RIVALS, OutOfTime, Watched, scipy_nelder_mead
from benchmarks.measurement import Measurement, Target
from workbench.ensembles.members import Members

SEARCHING = ("greedy", "hill_climbing", "nelder_mead")
"""Methods for any metric; of the last, which starts at what the others find, the most is asked."""
EQUAL = 1e-9
"""Losses that differ by less are equal."""
RACE = (20, 10_000)
"""Members and rows of the race of `convex` and SciPy's Nelder-Mead."""
FIGURES = 1e-5
"""In the race a loss is as low as the best that is so near it: the last figure of a leaderboard."""
RACE_LIMIT = 120.0
RACES = 5

TARGETS = (
    Target(measurement="convex_gap", limit=1e-6),
    *(Target(measurement=f"convex_speedup_{metric}", limit=50.0, bound="above") for metric in CONVEX),
    Target(measurement="convex_largest_s", limit=15.0, quick=False),
    *(
        Target(measurement=f"{what}_nelder_mead", limit=8.5, bound="above", quick=False)
        for what in ("as_good", "quick")
    ),
)


def goals(blended: Sequence[Blended], *, quick: bool) -> Iterator[Measurement]:
    """Yield what the contest came to beside what is asked for; the race is held here."""
    metrics = {one.metric for one in blended}
    if metrics & set(CONVEX):
        yield _gap(blended)
        for metric in CONVEX:
            yield _race(metric)
        if not quick:
            yield _largest(blended)
    if metrics & set(STEPS) and not quick:
        for method in SEARCHING:
            yield from goals_of_steps(blended, method)


def _gap(blended: Iterable[Blended]) -> Measurement:
    gaps = [one.gap for one in blended if one.contender == "convex" and one.metric in CONVEX and one.gap is not None]
    cases = {(one.metric, one.members, one.rows) for one in blended if one.metric in CONVEX}
    return Measurement(
        name="convex_gap",
        title="convex: largest gap to the best weights",
        repeats=(max(gaps, default=math.nan),),
        unit="",
        note=f"{len(gaps)} of {len(cases)} cases of {' and '.join(CONVEX)}",
    )


def _largest(blended: Iterable[Blended]) -> Measurement:
    found = [
        one.seconds if one.finished else math.inf
        for one in blended
        if one.contender == "convex" and one.metric in CONVEX and (one.members, one.rows) == (max(COUNTS), max(ROWS))
    ]
    return Measurement(
        name="convex_largest_s",
        title=f"convex: {max(COUNTS)} members, {max(ROWS):,} rows",
        repeats=(max(found, default=math.nan),),
        note="the slower of log_loss and rmse",
    )


def _race(metric: str) -> Measurement:
    """Compare seconds of `convex` to those of SciPy's Nelder-Mead to the same loss."""
    count, rows = RACE
    members = generate(metric, rows, count)
    small = partial(own, generate(metric, *SMALL), "convex")
    ours = [forked(partial(own, members, "convex"), RACE_LIMIT, first=small).result or Found() for _ in range(RACES)]
    theirs = forked(partial(_to_loss, members, ours[0].loss), 1.2 * RACE_LIMIT).result
    seconds, reached, loss, calls = theirs or (math.nan, False, math.nan, 0)
    taken = [found.seconds for found in ours]
    behind = loss - ours[0].loss
    came = f"came as low after {seconds:.3g} s" if reached else f"gave up {behind:.2g} above it after {seconds:.3g} s"
    return Measurement(
        name=f"convex_speedup_{metric}",
        title=f"convex, times as fast as SciPy's Nelder-Mead: {metric}, {count} members, {rows:,} rows",
        repeats=tuple(seconds / one for one in taken),
        unit="x",
        note=f"{1000 * statistics.median(taken):.3g} ms; Nelder-Mead {came}, {calls:,} evaluations",
    )


def _to_loss(members: Members, loss: float) -> tuple[float, bool, float, int]:
    """Return when Nelder-Mead came to a loss, whether it did, the lowest it found, and its evaluations.

    Where it ends above the loss, it starts again from there, as long as that leads to a lower one.
    """
    watched = Watched(members, RACE_LIMIT)
    with contextlib.suppress(OutOfTime):
        logits, before = scipy_nelder_mead(members, watched), math.inf
        while loss + FIGURES < watched.best < before:
            before = watched.best
            logits = scipy_nelder_mead(members, watched, logits)
    reached = watched.seconds_to(loss + FIGURES)
    return reached or watched.seconds, reached is not None, watched.best, watched.calls


def goals_of_steps(blended: Sequence[Blended], method: str) -> Iterator[Measurement]:
    """Count the cases in which a method is as good as the best of the others, and takes no longer than one of them.

    The notes name the other cases, with how much the method is behind or how long it took.
    """
    worse, slower = list[str](), list[str]()
    for metric in STEPS:
        for count, rows in COMPARED:
            case = {b.contender: b for b in blended if (b.metric, b.members, b.rows) == (metric, count, rows)}
            name = f"{metric} {count}x{rows:,}"
            worse += [f"{name} {told}" for told in _worse(case, method)]
            slower += [f"{name} {told}" for told in _slower(case, method)]
    for name, lacking, what in (
        ("as_good", worse, "as good as the best other"),
        ("quick", slower, "no slower than hillclimbers"),
    ):
        cases = len(STEPS) * len(COMPARED)
        yield Measurement(
            name=f"{name}_{method}",
            title=f"{method}: of {cases} cases of {' and '.join(STEPS)}, {what}",
            repeats=(cases - len(lacking),),
            unit="",
            note="not in " + ", ".join(lacking) if lacking else "",
        )


def _worse(case: Mapping[str, Blended], method: str) -> Iterator[str]:
    """Yield why a method is not as good as the best other in a case, if it is not."""
    others = [case[name] for name in RIVALS if name in case and case[name].known]
    if not others or method not in case or not case[method].known:
        yield "(not known)"
        return
    best = min(others, key=lambda one: one.loss)
    if case[method].loss > best.loss + EQUAL:
        yield f"({case[method].loss - best.loss:.1g} behind {best.contender})"


def _slower(case: Mapping[str, Blended], method: str) -> Iterator[str]:
    """Yield why a method is slower than hillclimbers in a case, if it is."""
    mine, climbers = case.get(method), case.get("hillclimbers")
    if mine is None or climbers is None or not (mine.finished and climbers.known):
        yield "(not known)"
    elif mine.seconds > climbers.seconds:
        yield f"({mine.seconds:.2g} s, not {climbers.seconds:.2g} s)"
