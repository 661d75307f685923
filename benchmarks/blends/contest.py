"""Methods and rivals on the same members: how low they get, how long they take, and what memory they need.

A contender that was out of time is not asked for more members or rows of the same metric.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.blends.forked import forked
from benchmarks.blends.generated import generate
from benchmarks.blends.rivals import RIVALS, TITLES, OutOfTime, Watched, installed
from benchmarks.measurement import Frozen
from workbench import registry
from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import equal
from workbench.ensembles.blend import AUTO, BlendSettings, blend
from workbench.ensembles.members import Members
from workbench.ensembles.method import NotApplicable, make_method

SINGLE = "best single"
NOT_INSTALLED, NOT_APPLICABLE, TOO_SLOW = "not installed", "not applicable", "too slow with fewer"


class Found(Frozen):
    """What a contender found. The loss is that on the rows that it was fitted on."""

    loss: float = math.nan
    """Mean over splits; less is better."""
    gap: float | None = None
    """At most so much above the best that any weights have, where the method knows."""
    seconds: float = math.nan
    finished: bool = False
    """Otherwise `loss` is the best that it had looked at when time was up, if any."""
    failure: str = ""


class Blended(Found):
    """What a contender came to on a case."""

    metric: str
    members: int
    rows: int
    """Asked for; a real table may have fewer."""
    real: bool
    """Members of a real search; else generated ones."""
    contender: str
    extra_mb: float = math.nan
    """Most memory beyond the members' predictions and the interpreter."""

    @property
    def known(self) -> bool:
        """Say whether there is a loss."""
        return math.isfinite(self.loss)


@dataclass(frozen=True)
class Case:
    """Members to blend, and for how long anyone may try."""

    members: Members
    rows: int
    limit: float
    real: bool = False

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.members.metric.name

    def told(self, contender: str, found: Found, extra_mb: float = math.nan) -> Blended:
        """Return what a contender came to."""
        return Blended(
            metric=self.metric,
            members=len(self.members),
            rows=self.rows,
            real=self.real,
            contender=contender,
            extra_mb=extra_mb,
            **found.model_dump(),
        )


def contenders() -> list[str]:
    """Return who takes part, in the table's order."""
    return [SINGLE, *registry.references("ensembles"), AUTO, *RIVALS]


def title(contender: str) -> str:
    """Return what a contender is called in a table."""
    return TITLES.get(contender, contender)


IMPORTED = (
    *("lightgbm", "pandas", "scipy.linalg", "scipy.optimize", "scipy.special", "threadpoolctl"),
    *("sklearn.isotonic", "sklearn.linear_model", "sklearn.metrics", "sklearn.preprocessing"),
    *("hillclimbers", "autogluon.core.models.greedy_ensemble.ensemble_selection"),
)
"""What contenders import when they begin: neither its seconds nor its memory is theirs."""


SMALL, SMALL_LIMIT = (200, 3), 1.0
"""Rows and members that a contender blends before it is measured, so that all is loaded, and for how many seconds."""

MEMORY = 0.8
"""A contender that takes more of the memory that is free is ended, before the system ends something."""


@dataclass
class Contest:
    """Who is compared, and who was too slow already.

    Attributes:
        names: The contenders.
    """

    names: Sequence[str]
    _slow: set[tuple[str, str, int, int]] = field(default_factory=set)

    def run(self, case: Case) -> Iterator[Blended]:
        """Yield what each contender came to, one after the other, each in a process of its own."""
        for name in self.names:
            found = self._skipped(case, name) or self._measured(case, name)
            if found.failure.startswith(">"):
                self.too_slow(found)
            yield found

    def too_slow(self, found: Blended) -> None:
        """Remember that a contender was out of time, or of memory."""
        self._slow.add((found.metric, found.contender, found.members, found.rows))

    def _skipped(self, case: Case, name: str) -> Blended | None:
        if name in RIVALS and not installed(name):
            return case.told(name, Found(failure=NOT_INSTALLED))
        count, rows = len(case.members), case.rows
        fewer = [(m, n) for metric, who, m, n in self._slow if (metric, who) == (case.metric, name)]
        if any(m <= count and n <= rows and (m, n) != (count, rows) for m, n in fewer):
            return case.told(name, Found(failure=TOO_SLOW))
        return None

    def _measured(self, case: Case, name: str) -> Blended:
        fits = _rival if name in RIVALS else own
        function = partial(fits, case.members, name, case.limit)
        # A rival ends itself when time is up; it may be at a long call, or between two.
        margin = 1.2 if name in RIVALS else 1.0
        most_mb = MEMORY * psutil.virtual_memory().available / 2**20
        small = partial(fits, generate(case.metric, *SMALL), name, SMALL_LIMIT)
        found = forked(function, margin * case.limit + 1.0, first=small, most_mb=most_mb)
        return case.told(name, found.result or Found(failure=found.failure), found.extra_mb)


def own(members: Members, name: str, _: float = math.inf) -> Found:
    """Fit a method of ours, from members as they come. It knows no limit."""
    began = time.perf_counter()
    try:
        blended = _fitted(members, name)
    except NotApplicable as error:
        return Found(failure=f"{NOT_APPLICABLE}: {error}")
    seconds = time.perf_counter() - began
    used, prediction = blended.members, blended.blend.undecided(blended.members.predictions)
    loss = used.metric.loss(used.score(prediction))
    return Found(loss=loss, gap=blended.gap, seconds=seconds, finished=True)


class _Fitted(NamedTuple):
    blend: FittedBlend
    gap: float | None
    members: Members
    """Those that are blended, in the order in which ``blend`` takes them."""


def _fitted(members: Members, name: str) -> _Fitted:
    if name == SINGLE:
        best = int(np.argmin([members.metric.loss(score) for score in members.singles()]))
        return _Fitted(FittedBlend(mix=equal(1), probabilities=members.classification), None, members.take([best]))
    if name == AUTO:
        result = blend(members, BlendSettings(decision="none"))
        places = {ref.fit_key: i for i, ref in enumerate(members.refs)}
        return _Fitted(result.blend, result.gap, members.take([places[member.fit_key] for member in result.members]))
    canonical = members.canonical()
    fit = make_method(name, {}, seed=0).fit(canonical)
    return _Fitted(FittedBlend(mix=fit.mix, probabilities=members.classification), fit.gap, canonical)


def _rival(members: Members, name: str, limit: float) -> Found:
    watched, finished = Watched(members, limit), True
    began = time.perf_counter()
    try:
        RIVALS[name][1](members, watched)
    except OutOfTime:
        finished = False
    seconds = time.perf_counter() - began
    failure = "" if finished else f"> {limit:g} s"
    return Found(loss=watched.best, seconds=seconds, finished=finished, failure=failure)
