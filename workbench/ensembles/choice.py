"""The comparison of methods by what they are worth on rows that they have not seen, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from workbench.blending.decision import Clip
from workbench.blending.result import MethodScore
from workbench.ensembles.bootstrap import bootstrap, interval
from workbench.ensembles.members import Members
from workbench.ensembles.method import NotApplicable
from workbench.ensembles.nested import Nested, nest
from workbench.ensembles.pipeline import Fitted, Pipeline
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array

ROUNDING = 1e-9
"""Scores that differ by less, as a part of the largest, are equal."""


TRIFLE = 0.0025
"""A difference of so small a part of the best score's 95 % interval (1 % of its standard error) decides nothing."""

SEARCHES = ("hill_climbing", "nelder_mead")
"""Methods that look for what the convex one has found, where it has a certificate: they take long to end there."""


@dataclass(frozen=True)
class Trained:
    """A pipeline that was fitted on all rows, and for its nested score on all but each split's."""

    name: str
    simplicity: int
    fitted: Fitted
    nested: Nested
    in_sample: float
    seconds: float


def train(name: str, pipeline: Pipeline, members: Members) -> Trained:
    """Fit a pipeline on canonical members, and score it in-sample and nested.

    Raises:
        NotApplicable: its method cannot be used with these members.
    """
    began = time.perf_counter()
    with one_blas_thread():
        return _trained(name, pipeline, members, began)


def _trained(name: str, pipeline: Pipeline, members: Members, began: float) -> Trained:
    fitted = pipeline.fit(members)
    nested = nest(lambda part: pipeline.fit(part).blend, members)
    if nested.undecided is not None and not worth_deciding(members, fitted, nested):
        fitted, nested = replace(fitted, blend=fitted.blend.model_copy(update={"decision": None})), nested.undecided
    predicted = fitted.blend.predict(members.predictions, members.features)
    seconds = time.perf_counter() - began
    return Trained(name, pipeline.method.simplicity, fitted, nested, members.score(predicted), seconds)


def worth_deciding(members: Members, fitted: Fitted, nested: Nested) -> bool:
    """Say whether the nested score speaks for the decision: thresholds follow noise where there is nothing to find.

    It must be better by more than the standard error of the difference over splits: of two that are equal, one is
    better by chance. A range is kept unless it does harm, as it does where the target grows with time.
    """
    if nested.undecided is None:
        return False
    gains = _losses(members, nested.undecided.scores) - _losses(members, nested.scores)
    known = gains[np.isfinite(gains)]
    if isinstance(fitted.blend.decision, Clip):
        return not known.sum() < 0.0
    error = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.inf
    return bool(len(known) > 1 and known.mean() > error)


def _losses(members: Members, scores: Array) -> Array:
    return np.array([members.metric.loss(score) for score in scores])


def compare(pipelines: Mapping[str, Pipeline], members: Members) -> tuple[list[Trained], tuple[MethodScore, ...]]:
    """Train every pipeline; return those that can be used, and a table of all of them, simplest first."""
    ordered = sorted(pipelines.items(), key=lambda item: (item[1].method.simplicity, item[0]))
    trained: list[Trained] = []
    failures: dict[str, str] = {}
    certified = False
    for name, pipeline in ordered:
        if certified and name in SEARCHES and len(ordered) > 1:
            failures[name] = f"{name}: convex weights are proven to be the best in-sample; none can be found"
            continue
        try:
            trained.append(train(name, pipeline, members))
            certified |= trained[-1].fitted.gap is not None
        except NotApplicable as error:
            failures[name] = str(error)
    table = dict(zip([one.name for one in trained], _table(trained, members), strict=True))
    return trained, tuple(table.get(name) or _failed(name, failures[name]) for name, _ in ordered)


def choose(trained: list[Trained], table: tuple[MethodScore, ...]) -> Trained:
    """Return the simplest of those whose nested score is within one standard error of the best one's.

    The standard error is that of the difference of the two on the same rows: scores of blends of the same members vary
    together, so that the standard error of either alone would call nearly all of them equal. Of twins it goes to 0:
    what is less than `TRIFLE` of the best score's own interval is no difference either.
    """
    scored = {row.method: row for row in table if not row.failure}
    trifle = _trifle(list(scored.values()))
    for one in sorted(trained, key=lambda one: (one.simplicity, one.name)):
        row = scored[one.name]
        if row.behind_best <= max(row.behind_best_se, trifle):
            return one
    return trained[0]  # the metric scores nothing: nothing speaks against the simplest


def _trifle(rows: list[MethodScore]) -> float:
    """Return the difference of nested scores that decides nothing."""
    rounding = ROUNDING * max((abs(row.nested) for row in rows if np.isfinite(row.nested)), default=1.0)
    widths = [row.high - row.low for row in rows if row.behind_best == 0.0 and np.isfinite(row.high - row.low)]
    return max(rounding, TRIFLE * min(widths, default=0.0))


def _table(trained: list[Trained], members: Members) -> list[MethodScore]:
    """Return what each came to, beside the best of them."""
    if not trained:
        return []
    losses = np.array([_loss(members, one.nested.score) for one in trained])
    best = int(np.argmin(losses))
    behind = losses - losses[best] if np.isfinite(losses[best]) else np.full(len(losses), np.nan)
    samples = bootstrap(members, [one.nested.predictions for one in trained])
    return [
        _row(one, behind[i], _spread(samples[:, i] - samples[:, best]), interval(samples[:, i]))
        for i, one in enumerate(trained)
    ]


def _row(one: Trained, behind: float, error: float, bounds: tuple[float, float]) -> MethodScore:
    return MethodScore(
        method=one.name,
        in_sample=one.in_sample,
        nested=one.nested.score,
        nested_se=one.nested.error,
        low=bounds[0],
        high=bounds[1],
        behind_best=behind,
        behind_best_se=error,
        members=int((one.fitted.blend.mix.shares() > 0.0).sum()),
        seconds=one.seconds,
    )


def _failed(name: str, reason: str) -> MethodScore:
    names = ("in_sample", "nested", "nested_se", "low", "high", "behind_best", "behind_best_se")
    return MethodScore(method=name, **dict.fromkeys(names, float("nan")), members=0, seconds=0.0, failure=reason)


def _loss(members: Members, score: float) -> float:
    loss = members.metric.loss(score)
    return loss if np.isfinite(loss) else np.inf


def _spread(differences: Array) -> float:
    known = differences[np.isfinite(differences)]
    return float(known.std(ddof=1)) if len(known) > 1 else 0.0
