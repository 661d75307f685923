"""What trials come to on a second fold plan, and by how much choosing them flattered their scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from workbench.types import Direction, Value, as_loss
from workbench.wording import less_or_more

if TYPE_CHECKING:
    from rich.table import Table


class Rescore(Value):
    """One configuration on both plans; scores are means over splits, in the metric's units."""

    trial: str
    """Name of the trial of the search, such as ``lightgbm#0003``."""
    first: float
    first_se: float
    second: float
    second_se: float
    optimism: float
    """How much worse it is on the second plan, in the metric's units; below 0 it is better there."""


class Mean(NamedTuple):
    """A mean and its standard error, ``None`` of a single value."""

    mean: float
    se: float | None

    def __str__(self) -> str:
        """Return both as a person reads them."""
        return f"{self.mean:+.3g}" + ("" if self.se is None else f" ± {self.se:.2g}")


class Rescoring(Value):
    """The best configurations, and perhaps as many random ones, on a fold plan that no search has seen."""

    experiment: str
    sweep: int | None
    """Of what had to be trained; ``None`` where all was known."""
    metric: str
    direction: Direction
    folds_seed: int
    """Of the second plan."""
    best: tuple[Rescore, ...]
    """The best first, by their scores on the first plan."""
    control: tuple[Rescore, ...] = ()
    """Drawn at random from the others: nobody chose them, so they differ by what the plans differ by."""

    @property
    def optimism(self) -> Mean:
        """How much worse the best ones are on the second plan; the error is over configurations.

        What the plans themselves differ by is the same for all, and in none of these errors.
        """
        return mean_of([each.optimism for each in self.best])

    @property
    def plans(self) -> Mean | None:
        """How much worse those of the control are: what the second plan is harder by."""
        return mean_of([each.optimism for each in self.control]) if self.control else None

    @property
    def selection(self) -> Mean | None:
        """What the choice alone has flattered: the former minus the latter; ``None`` without a control."""
        if (plans := self.plans) is None:
            return None
        errors = [mean.se for mean in (self.optimism, plans) if mean.se is not None]
        return Mean(self.optimism.mean - plans.mean, math.hypot(*errors) if len(errors) == 2 else None)

    @property
    def summary(self) -> str:
        """The figures in words."""
        unit = f"{self.metric}, positive: worse on the second plan"
        lines = [f"optimism of the choice: {self.optimism} ({unit}; standard error over configurations)"]
        if (plans := self.plans) is None:
            lines.append("the plans differ by chance too, much the same for every configuration: --control shows that")
        else:
            lines.append(f"random others: {plans}; so the choice alone: {self.selection}")
        return "\n".join(lines)

    def render(self) -> Table:
        """Return a table of both scores of each."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        better = less_or_more(self.direction)
        table = Table(
            title=Text(f"{self.experiment} on a second fold plan"),
            caption=Text(f"{self.metric}, {better} is better; mean ± standard error over splits\n{self.summary}"),
            caption_justify="left",
            box=box.SIMPLE_HEAD,
        )
        table.add_column("model", no_wrap=True)
        for heading in ("searched", "±", "second plan", "±", "worse by"):
            table.add_column(heading, justify="right", no_wrap=True)
        for title, group in (("mean", self.best), ("mean of random others", self.control)):
            for each in group:
                table.add_row(Text(each.trial), *_cells(each))
            if group:
                table.add_section()
                first, second = (statistics.fmean(getattr(e, name) for e in group) for name in ("first", "second"))
                worse = mean_of([each.optimism for each in group])
                table.add_row(title, f"{first:.5g}", "", f"{second:.5g}", "", f"{worse.mean:+.3g}", style="bold")
                table.add_section()
        return table


def rescore_of(trial: str, direction: Direction, first: tuple[float, float], second: tuple[float, float]) -> Rescore:
    """Return one configuration's scores with their standard errors, and how much worse the second is."""
    return Rescore(
        trial=trial,
        first=first[0],
        first_se=first[1],
        second=second[0],
        second_se=second[1],
        optimism=as_loss(direction, second[0]) - as_loss(direction, first[0]),
    )


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean of at least one value, and its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Mean(statistics.fmean(values), error)


def _cells(each: Rescore) -> tuple[str, ...]:
    return (
        *(f"{each.first:.5g}", f"{each.first_se:.2g}", f"{each.second:.5g}", f"{each.second_se:.2g}"),
        f"{each.optimism:+.3g}",
    )
