"""What a benchmark comes to: measurements, targets, and the JSON that is kept of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from benchmarks.machine import Machine


class Frozen(BaseModel):
    """Base of the values of a benchmark."""

    model_config = ConfigDict(frozen=True)


class Measurement(Frozen):
    """Something measured once or several times; its value is the median."""

    name: str
    """Stable, such as ``help_s``: targets and later comparisons refer to it."""
    title: str
    """For people."""
    repeats: tuple[float, ...]
    unit: str = "s"
    note: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def value(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.repeats)


class Row(Frozen):
    """A line of a contest's table: what a contender came to on so many rows."""

    contender: str
    """Stable, such as ``keras_tuner``."""
    title: str
    workers: int
    """Of the workbench; 0 for who has none."""
    rows: int
    """Asked for; a table may have fewer."""
    trials: int
    trials_per_minute: float
    """By `search_s`."""
    search_s: float
    """From the first ask to the end of the last trial."""
    wall_s: float
    """Of the whole process, imports and all."""
    cpu_s: float
    """Of the process and everything that it started."""
    peak_mb: float
    score: float
    """Mean over the trials."""
    note: str = ""


class Target(Frozen):
    """A bound on a measurement, which is asked for."""

    measurement: str
    limit: float
    bound: Literal["below", "above"] = "below"
    quick: bool = True
    """Say whether it is measured by ``--quick`` too; otherwise a quick run says nothing about it."""

    def met(self, value: float) -> bool:
        """Say whether a value is strictly on the right side of the limit; NaN never is."""
        return value < self.limit if self.bound == "below" else value > self.limit

    def shortfall(self, found: Measurement | None) -> str | None:
        """Return what is missing in words, or ``None``. What was not measured is a shortfall."""
        if found is None:
            return f"{self.measurement}: not measured; expected {self.bound} {self.limit:g}"
        if self.met(found.value):
            return None
        return f"{self.measurement}: {found.value:.3g} {found.unit}, expected {self.bound} {self.limit:g} {found.unit}"


class Result(Frozen):
    """A benchmark's run, as it is kept."""

    version: Literal[1] = 1
    benchmark: str
    quick: bool
    date: str
    """UTC, ISO 8601."""
    machine: Machine
    versions: dict[str, str]
    measurements: tuple[Measurement, ...]
    rows: tuple[Row, ...] = ()
    targets: tuple[Target, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def shortfalls(self) -> tuple[str, ...]:
        """Every target that is missed, in words."""
        return shortfalls(self.measurements, self.targets, quick=self.quick)


def shortfalls(measurements: Iterable[Measurement], targets: Sequence[Target], *, quick: bool) -> tuple[str, ...]:
    """Return every target that is missed, in words; a quick run is only asked for what it measures."""
    found = {measurement.name: measurement for measurement in measurements}
    asked = [target for target in targets if target.quick or not quick]
    told = [target.shortfall(found.get(target.measurement)) for target in asked]
    return tuple(text for text in told if text is not None)
