"""What blends are worth on the test rows of real tables: a run of it, its goals, and its tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.blends.searched import Searched
from benchmarks.blends.searches import NAMES
from benchmarks.blends.tested import CHOSEN, DECIDED, PER_FAMILY, SINGLE, Mean, Tested, TestScore, draws, tested
from benchmarks.measurement import Measurement, Result, Target

UNIT = "SD"
"""Standard deviations of the best single model's test loss."""

TARGETS = (
    Target(measurement="data_sets", limit=9.5, bound="above"),
    Target(measurement="gain_low", limit=0.0, bound="above"),
    Target(measurement="bias_less", limit=0.0, bound="above"),
)

HEADINGS = ("data set", "rows", "blend", "best single", "test score", "gain", "in-sample\nnested", "bias")


class Worth(Result):
    """A run, as it is kept."""

    tested: tuple[Tested, ...]


def measured(cache: Path, repeats: int) -> Iterator[Tested]:
    """Yield each data set with its default members, then with others ``repeats`` times; say which are not there."""
    told = Console(stderr=True)
    for name in NAMES:
        try:
            searched = Searched.read(cache, name)
        except FileNotFoundError:
            told.print(f"{name}: not in {cache}; --search makes it", markup=False)
            continue
        for draw, families, per_family in draws(searched, repeats):
            found = tested(searched, draw, families, per_family)
            told.print(f"{name} {draw}: {found.chosen}, {_of(found).gain:+.2f} {UNIT}", style="dim", highlight=False)
            yield found


def goals(found: Sequence[Tested]) -> Iterator[Measurement]:
    """Yield the means over data sets, and what is asked of them."""
    first = [one for one in found if one.draw == 0]
    names = ", ".join(one.name for one in first)
    yield Measurement(name="data_sets", title="data sets", repeats=(len(first),), unit="", note=names)
    if len(first) < 2:
        return
    yield from _gains(first, found)
    yield from _biases(first)


def _gains(first: Sequence[Tested], found: Sequence[Tested]) -> Iterator[Measurement]:
    gain = _mean(first, lambda one: _of(one).gain)
    yield _told("gain", "gain of the chosen blend over the best single model", gain)
    title = "lower bound of its 95 % interval, over data sets"
    yield Measurement(name="gain_low", title=title, repeats=(gain.low,), unit=UNIT)
    yield _within(first, gain)
    decided = _mean(first, lambda one: _of(one).gain - _of(one, DECIDED).gain)
    yield _told("gain_over_decided", "gain over that model with a decision of its own", decided)
    paired = _mean([one for one in first if _of(one).gain_se > 0.0], lambda one: _of(one).gain / _of(one).gain_se)
    yield _told("gain_paired", "gain, each in standard errors of its own (paired)", paired, "SE")
    yield _told("gain_all", "gain, over all draws of members", _mean(found, lambda one: _of(one).gain))


def _within(first: Sequence[Tested], gain: Mean) -> Measurement:
    """Return the lower bound for these data sets alone: their test rows are drawn anew, they themselves are not."""
    half = 1.96 * math.sqrt(sum(_of(one).gain_se ** 2 for one in first)) / len(first)
    return Measurement(
        name="gain_low_within",
        title="lower bound of its 95 % interval for these data sets, by bootstrap of test rows",
        repeats=(gain.value - half,),
        unit=UNIT,
        note=f"{gain.value - half:+.3f} … {gain.value + half:+.3f}",
    )


def _biases(first: Sequence[Tested]) -> Iterator[Measurement]:
    nested = _mean(first, lambda one: _of(one).nested_bias)
    in_sample = _mean(first, lambda one: _of(one).in_sample_bias)
    yield _told("nested_bias", "bias of the nested score (above 0: too good)", nested)
    yield _told("in_sample_bias", "bias of the in-sample score", in_sample)
    less = abs(in_sample.value) - abs(nested.value)
    title = "by so much is the mean bias of nested scores the smaller one"
    yield Measurement(name="bias_less", title=title, repeats=(less,), unit=UNIT)
    errors = {
        "nested": _mean(first, lambda one: abs(_of(one).nested_bias)),
        "in_sample": _mean(first, lambda one: abs(_of(one).in_sample_bias)),
    }
    for kind, error in errors.items():
        yield _told(f"{kind}_error", f"mean absolute bias of the {kind.replace('_', '-')} score", error)
    single = _mean(first, lambda one: _of(one, SINGLE).nested_bias)
    yield _told("single_bias", "bias of the best single model's own score", single)
    beyond = _mean(first, lambda one: _of(one).nested_bias - _of(one, SINGLE).nested_bias)
    yield _told("nested_beyond", "bias of the nested score beyond that", beyond)
    beyond = _mean(first, lambda one: _of(one).in_sample_bias - _of(one, SINGLE).nested_bias)
    yield _told("in_sample_beyond", "bias of the in-sample score beyond that", beyond)


def _told(name: str, title: str, mean: Mean, unit: str = UNIT) -> Measurement:
    note = f"95 % interval {mean.low:+.3f} … {mean.high:+.3f}"
    return Measurement(name=name, title=title, repeats=(mean.value,), unit=unit, note=note)


def _of(one: Tested, method: str = CHOSEN) -> TestScore:
    return next(score for score in one.scores if score.method == method)


def _mean(found: Sequence[Tested], value: Callable[[Tested], float]) -> Mean:
    """Return the mean over data sets of the mean over each one's draws."""
    by_name: dict[str, list[float]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(value(one))
    return Mean.of([float(np.mean(values)) for values in by_name.values()])


def tables(found: Sequence[Tested]) -> list[Table]:
    """Return a table of the data sets, and one of the methods."""
    return [_of_sets([one for one in found if one.draw == 0]), _of_methods(found)]


def _of_sets(found: Sequence[Tested]) -> Table:
    table = Table(
        title="Test scores of the chosen blend and of the best single model by cross-validation",
        caption=f"the best {PER_FAMILY} of each family; 95 % intervals by bootstrap of test rows; gain and bias in "
        f"{UNIT}, standard deviations of the best single model's test loss",
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("data set", "blend") else "right", no_wrap=True)
    for one in found:
        single, blend = _of(one, SINGLE), _of(one)
        table.add_row(
            f"{one.name}\n{one.metric} {'↓' if one.direction == 'minimize' else '↑'}",
            f"{one.rows:,}\n{one.test_rows:,}",
            f"{one.chosen}\nof {one.members}",
            f"{single.test:.5g}\n{single.low:.4g} … {single.high:.4g}",
            f"{blend.test:.5g}\n{blend.low:.4g} … {blend.high:.4g}",
            f"{blend.gain:+.2f}\n{blend.gain_low:+.2f} … {blend.gain_high:+.2f}",
            f"{blend.in_sample:.5g}\n{blend.nested:.5g}",
            f"{blend.in_sample_bias:+.2f}\n{blend.nested_bias:+.2f}",
        )
    return table


def _of_methods(found: Sequence[Tested]) -> Table:
    """Return the table of means over data sets by method; a method that is not for all says for how many it is."""
    names = list(dict.fromkeys(score.method for one in found for score in one.scores))
    table = Table(
        title="Means over data sets, by method",
        caption=f"in {UNIT}; gains over the best single model, 95 % intervals over data sets; 'all draws': families "
        "and numbers of each drawn by seed as well, averaged for each data set first",
    )
    for heading in ("method", "sets", "gain", "gain, all draws", "bias, in-sample", "nested", "chosen"):
        table.add_column(heading, justify="left" if heading == "method" else "right", no_wrap="gain" in heading)
    for name in names:
        if name != SINGLE:
            table.add_row(name, *_means(name, [one for one in found if one.of(name) is not None]))
    return table


def _means(name: str, found: Sequence[Tested]) -> Iterator[str]:
    first = [one for one in found if one.draw == 0]
    yield str(len(first))
    for among in (first, found):
        mean = _mean(among, lambda one: _of(one, name).gain)
        yield f"{mean.value:+.3f} ({mean.low:+.2f} … {mean.high:+.2f})"
    yield f"{_mean(first, lambda one: _of(one, name).in_sample_bias).value:+.3f}"
    yield f"{_mean(first, lambda one: _of(one, name).nested_bias).value:+.3f}"
    yield f"{sum(one.chosen == name for one in found)} of {len(found)}"
