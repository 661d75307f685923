"""What ``workbench init`` prints: warnings first, then the columns, what was inferred, and what to type next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench.scaffold.columns import ColumnSummary
from workbench.scaffold.creation import Scaffold
from workbench.scaffold.yaml_lines import printable, scalar

MOST_COLUMNS = 30
NARROW = 100
AS_GIVEN = ("data.train", "data.test", "data.sample_submission", "families")
"""Keys of which there is nothing to say here: as the user gave them, or as always."""


def show(console: Console, scaffold: Scaffold) -> None:
    """Print a scaffold."""
    console.print(Text(scaffold.shape, style="bold"))
    for finding in scaffold.findings:
        if finding.warning:
            _bullet(console, "! ", finding.text, "yellow")
    console.print()
    console.print(_columns(scaffold.columns, narrow=console.width < NARROW))
    if len(scaffold.columns) > MOST_COLUMNS:
        console.print(Text(f" … and {len(scaffold.columns) - MOST_COLUMNS:,} more columns", style="dim"))
    console.print()
    console.print(_inferred(scaffold))
    console.print()
    for finding in scaffold.findings:
        if not finding.warning:
            _bullet(console, "· ", finding.text, "dim")
    _next(console, scaffold)


def _bullet(console: Console, mark: str, text: str, style: str) -> None:
    lines = textwrap.wrap(printable(text), max(20, console.width - len(mark)), break_on_hyphens=False)
    for number, line in enumerate(lines):
        console.print(Text((mark if number == 0 else " " * len(mark)) + line, style=style), soft_wrap=True)


def _columns(columns: Sequence[ColumnSummary], *, narrow: bool) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("column", overflow="fold", max_width=24 if narrow else 40)
    table.add_column("kind", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("example", no_wrap=True, max_width=9 if narrow else 20)
    table.add_column("note")
    for column in _most_telling(columns):
        cells = (column.name, column.kind, column.missing_text, f"{column.distinct:,}", column.example, column.note)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _most_telling(columns: Sequence[ColumnSummary]) -> list[ColumnSummary]:
    """Return the columns that fit, those of which there is something to say before others, in the table's order."""
    by_note = sorted(range(len(columns)), key=lambda position: (not columns[position].telling, position))
    return [columns[position] for position in sorted(by_note[:MOST_COLUMNS])]


def _inferred(scaffold: Scaffold) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=34)
    table.add_column("why")
    for inference in scaffold.inferences:
        if inference.key in AS_GIVEN:
            continue
        style = "" if inference.sure else "dim"
        reason = inference.reason if inference.sure else f"{inference.reason} (commented out)"
        table.add_row(
            *(Text(cell, style=style) for cell in (inference.key, scalar(inference.value), printable(reason)))
        )
    return table


def _next(console: Console, scaffold: Scaffold) -> None:
    folder = shlex.quote(str(scaffold.folder))
    names = ", ".join(file.name for file in scaffold.files)
    console.print()
    console.print(Text(f"wrote {names} in {scaffold.folder}"), soft_wrap=True)
    console.print("next:")
    for command, why in (
        (f"workbench run {folder} --time 2m", "search, blend, and write a submission"),
        (f'workbench try {folder} lightgbm --features v1 -m "first features"', "is features.py better, or noise?"),
        (f"workbench show factories:network {folder}", "the network of factories.py as a picture"),
    ):
        console.print(Text(f"  # {why}", style="dim"), soft_wrap=True)
        console.print(Text(f"  {command}"), soft_wrap=True)
