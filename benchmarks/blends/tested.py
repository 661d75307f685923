"""Blends on rows that nothing has seen: what a blend gains over the best single model, and which score foretells it.

All of a data set's figures are losses (less is better) in one unit: the standard deviation of the best single model's
test loss over resampled test rows. So data sets with other metrics and sizes can be averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.blends.searched import Searched
from benchmarks.measurement import Frozen
from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import equal
from workbench.ensembles.blend import BlendSettings
from workbench.ensembles.bootstrap import bootstrap, interval
from workbench.ensembles.choice import Trained, choose, compare
from workbench.ensembles.deciding import fit_decision
from workbench.ensembles.members import Members
from workbench.ensembles.pipeline import Pipeline
from workbench.metrics import Array
from workbench.registry import references, resolve
from workbench.seeds import derive_seed

PER_FAMILY = 2
"""As a run's default is."""

SINGLE, DECIDED, CHOSEN = "best single", "best single, decided", "auto"
BOOTSTRAPS = 5
"""So many times the samples of one bootstrap."""


class TestScore(Frozen):
    """What a blend, or a single model, came to on a data set. Scores are in the metric's units."""

    __test__ = False  # no test class, whatever pytest thinks of the name

    method: str
    """A method; ``auto`` for the chosen one; the best single model, with and without a decision of its own."""
    in_sample: float
    nested: float
    test: float
    low: float
    high: float
    """Bounds of the 95 % interval of ``test``, by bootstrap."""
    gain: float
    """Test loss of the best single model less that of this, in standard deviations of the former."""
    gain_low: float
    gain_high: float
    """Bounds of its 95 % interval: of differences on the same resampled rows."""
    gain_se: float
    """Its standard error, of the same differences."""
    in_sample_bias: float
    nested_bias: float
    """Test loss less the loss that was foretold, in the same unit: above 0 where the score was too good."""


class Tested(Frozen):
    """A data set with some of its members."""

    name: str
    metric: str
    direction: str
    draw: int
    """0: all families, the best two of each; from 1 on some families and other numbers of each, drawn by this seed."""
    families: tuple[str, ...]
    per_family: int
    members: int
    rows: int
    test_rows: int
    unit: float
    """Standard deviation of the best single model's test loss."""
    chosen: str
    failures: dict[str, str]
    """Why methods were left out."""
    scores: tuple[TestScore, ...]

    def of(self, method: str) -> TestScore | None:
        """Return what a method came to, if it is there."""
        return next((score for score in self.scores if score.method == method), None)


class Mean(Frozen):
    """A mean over data sets with its 95 % interval, by Student's t over the data sets."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Return the mean of a value a data set."""
        from scipy.special import stdtrit

        found = np.asarray(values, dtype=np.float64)
        value, count = float(found.mean()), len(found)
        half = float(stdtrit(count - 1, 0.975) * found.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
        return cls(value=value, low=value - half, high=value + half)


@dataclass(frozen=True)
class _Entry:
    """Something to score on the test rows, and what was foretold."""

    method: str
    prediction: Array
    in_sample: float
    nested: float


def draws(searched: Searched, repeats: int) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Yield a number, families and how many of each: first all of them, then ``repeats`` times some, drawn by seed."""
    families = sorted({ref.family for ref in searched.members.refs})
    yield 0, tuple(families), PER_FAMILY
    for draw in range(1, repeats + 1):
        generator = np.random.default_rng(derive_seed(draw, "members", searched.name))
        size = int(generator.integers(min(3, len(families)), len(families) + 1))
        chosen = generator.choice(families, size, replace=False)
        yield draw, tuple(sorted(chosen.tolist())), int(generator.integers(1, 4))


def tested(searched: Searched, draw: int, families: tuple[str, ...], per_family: int) -> Tested:
    """Fit every method on a data set's out-of-fold predictions, and score it on its test rows."""
    some = searched.take(searched.best_of_each(per_family))
    some = some.take([i for i, ref in enumerate(some.members.refs) if ref.family in families]).canonical()
    members = some.members
    pipelines = BlendSettings().pipelines
    trained, table = compare(pipelines, members)
    chosen = choose(trained, table)
    others = [name for name in references("ensembles") if name not in pipelines]
    more, more_table = compare({name: BlendSettings(method=name).pipelines[name] for name in others}, members)
    methods = [_entry(some, one.name, one) for one in (*trained, *more)]
    entries = [*_singles(some), *methods, _entry(some, CHOSEN, chosen)]
    unit, scores = _scored(some, entries)
    return Tested(
        name=searched.name,
        metric=members.metric.name,
        direction=members.metric.direction,
        draw=draw,
        families=families,
        per_family=per_family,
        members=len(members),
        rows=len(members.row),
        test_rows=len(some.test_y),
        unit=unit,
        chosen=chosen.name,
        failures={row.method: row.failure for row in (*table, *more_table) if row.failure},
        scores=tuple(scores),
    )


def _singles(some: Searched) -> list[_Entry]:
    """Return the best member by cross-validation, as it is and with the decision that the metric asks for."""
    members = some.members
    best = int(np.argmin([members.metric.loss(score) for score in members.singles()]))
    alone = some.take([best])
    plain = FittedBlend(mix=equal(1), probabilities=members.classification)
    score = alone.members.score(plain.predict(alone.members.predictions))
    decided = compare({"mean": _deciding()}, alone.members)[0][0]
    return [
        _Entry(SINGLE, plain.predict(alone.test), score, score),
        _entry(alone, DECIDED, decided),
    ]


def _deciding() -> Pipeline:
    return Pipeline(method=resolve("ensembles", "mean")(), decide=fit_decision)


def _entry(some: Searched, name: str, one: Trained) -> _Entry:
    return _Entry(name, one.fitted.blend.predict(some.test), one.in_sample, one.nested.score)


def _scored(some: Searched, entries: Sequence[_Entry]) -> tuple[float, list[TestScore]]:
    """Score predictions of the test rows, the best single model's first; return the unit and the scores."""
    rows, loss = _test_rows(some, entries), some.members.metric.loss
    predictions = [entry.prediction for entry in entries]
    samples = np.concatenate([bootstrap(rows, predictions, seed=seed) for seed in range(BOOTSTRAPS)])
    single = rows.score(predictions[0])
    unit = float(np.nanstd(samples[:, 0], ddof=1))
    sign = loss(1.0)
    found = []
    for i, entry in enumerate(entries):
        test = rows.score(entry.prediction)
        low, high = interval(samples[:, i])
        gains = sign * (samples[:, 0] - samples[:, i]) / unit
        gain_low, gain_high = interval(gains)
        found.append(
            TestScore(
                method=entry.method,
                in_sample=entry.in_sample,
                nested=entry.nested,
                test=test,
                low=low,
                high=high,
                gain=sign * (single - test) / unit,
                gain_low=gain_low,
                gain_high=gain_high,
                gain_se=float(np.nanstd(gains, ddof=1)),
                in_sample_bias=sign * (test - entry.in_sample) / unit,
                nested_bias=sign * (test - entry.nested) / unit,
            )
        )
    return unit, found


def _test_rows(some: Searched, entries: Sequence[_Entry]) -> Members:
    """Return the test table as one split, on which anything can be scored and resampled."""
    return Members(
        refs=(),
        predictions=np.stack([entry.prediction for entry in entries]),
        y=some.test_y,
        weight=None,
        split=np.zeros(len(some.test_y), dtype=np.intp),
        row=np.arange(len(some.test_y)),
        metric=some.members.metric,
        plan_key="",
        classification=some.members.classification,
    )
