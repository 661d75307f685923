"""How blends look in a terminal: the methods that were compared, the members, and the finalists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench.blending.result import BlendResult, MethodScore
from workbench.blending.wording import calibration_in_words, decision_in_words
from workbench.ensembles.choice import ROUNDING
from workbench.ensembles.finalists import Finalist
from workbench.types import Direction, MetricRef
from workbench.wording import less_or_more


def show_blend(console: Console, blend: BlendResult, *, metric: str, direction: Direction) -> None:
    """Print the methods that were compared, what was chosen, and its members."""
    if len(blend.considered) > 1:
        console.print(methods(blend.considered, metric=metric, direction=direction, chosen=blend.method))
        for row in blend.considered:
            if row.failure:
                console.print(Text(f"not compared: {row.failure}", style="dim"), soft_wrap=True)
    console.print(_members(blend, metric))
    for line in _lines(blend):
        console.print(Text(line), soft_wrap=True)
    for line in blend.left_out:
        console.print(Text(line, style="yellow"), soft_wrap=True)


def show_finalists(
    console: Console,
    finalists: Sequence[Finalist],
    table: Sequence[MethodScore],
    files: Sequence[Path],
    *,
    metric: MetricRef,
    left_out: Sequence[str] = (),
) -> None:
    """Print all that were compared, the two that are proposed, and what was left out."""
    console.print(methods(table, metric=metric.name, direction=metric.direction, chosen=finalists[0].name))
    measure = "rank correlation {:.4f} with the first on the test table"
    if metric.needs == "labels":
        measure = "the same label as the first on {:.2%} of the test table"
    for number, (one, file) in enumerate(zip(finalists, files, strict=True), start=1):
        agrees = "" if number == 1 else f", {measure.format(one.agreement)}"
        console.print(
            Text(f"{number}. {one.name}: nested {one.score.nested:.5g} ({interval(one.score)}){agrees}"), soft_wrap=True
        )
        console.print(Text(f"   {file}", style="dim"), soft_wrap=True)
    if len(finalists) < 2:
        console.print(Text("all that were compared say the same: there is no second one", style="yellow"))
    for line in left_out:
        console.print(Text(line, style="yellow"), soft_wrap=True)


def methods(rows: Sequence[MethodScore], *, metric: str, direction: Direction, chosen: str) -> Table:
    """Return the comparison of methods as a table."""
    table = Table(
        caption=Text(
            f"{metric}, {less_or_more(direction)} is better. nested: weights and decisions fitted on the other folds; "
            "not corrected for the choice of trials and methods. behind: how much worse than the best ± standard error "
            "of that difference"
        ),
        box=box.SIMPLE_HEAD,
        caption_justify="left",
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", no_wrap=True)
    for heading in ("nested", "95 %", "behind", "in-sample", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.failure:
            continue
        behind = f"{row.behind_best:.1g} ± {row.behind_best_se:.1g}" if row.behind_best > ROUNDING else "best"
        cells = [f"{row.nested:.4g}", interval(row), behind, f"{row.in_sample:.4g}", f"{row.seconds:.1f}"]
        table.add_row(Text(row.method), *cells, style="bold" if row.method == chosen else None)
    return table


def interval(row: MethodScore) -> str:
    """Return the bounds of a nested score's 95 % interval."""
    return f"{row.low:.3g}…{row.high:.3g}"


def _members(blend: BlendResult, metric: str) -> Table:
    table = Table(title=Text(f"blend: {blend.method}"), box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("member", "weight", metric, "gain"):
        table.add_column(heading, justify="left" if heading == "member" else "right", no_wrap=True)
    for member in blend.members:
        gain = "" if member.gain is None else f"{member.gain:+.2g}"
        table.add_row(Text(member.trial), f"{member.weight:.3f}", f"{member.score:.5g}", gain)
    return table


def _lines(blend: BlendResult) -> list[str]:
    bounds = f" ({blend.nested_low:.5g} to {blend.nested_high:.5g})" if blend.nested_low is not None else ""
    lines = [
        f"nested {blend.nested:.5g} ± {blend.nested_se:.2g}{bounds}, in-sample (optimistic) {blend.in_sample:.5g}, "
        f"best single {blend.best_single:.5g}"
    ]
    if blend.gains_by:
        lines.append(f"gains are those of other weights, as the blend's own would take long: {blend.gains_by}")
    if blend.blend.calibration is not None:
        lines.append(f"after the mix: {calibration_in_words(blend.blend.calibration)}")
    elif blend.gap is not None:
        lines.append(f"no other weights are better in-sample by more than {blend.gap:.1g}")
    if blend.blend.decision is not None:
        lines.append(f"after the blend: {decision_in_words(blend.blend.decision)}")
    return lines
