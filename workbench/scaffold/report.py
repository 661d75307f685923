"""What ``workbench init`` prints: warnings first, then the columns, what was inferred, and what to type next."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench.scaffold.columns import ColumnSummary
from workbench.scaffold.creation import Scaffold
from workbench.scaffold.yaml_lines import scalar

MOST_COLUMNS = 30


def show(console: Console, scaffold: Scaffold) -> None:
    """Print a scaffold."""
    console.print(Text(scaffold.shape, style="bold"))
    for finding in scaffold.findings:
        if finding.warning:
            _bullet(console, "!", finding.text, "yellow")
    console.print()
    console.print(_columns(scaffold.columns))
    if len(scaffold.columns) > MOST_COLUMNS:
        console.print(Text(f"… and {len(scaffold.columns) - MOST_COLUMNS:,} more columns", style="dim"))
    console.print()
    console.print(_inferred(scaffold))
    console.print()
    for finding in scaffold.findings:
        if not finding.warning:
            _bullet(console, "·", finding.text, "dim")
    _next(console, scaffold)


def _bullet(console: Console, mark: str, text: str, style: str) -> None:
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(mark, style=style), Text(text, style=style))
    console.print(line)


def _columns(columns: tuple[ColumnSummary, ...]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("column", overflow="fold", min_width=10)
    table.add_column("kind", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("example", no_wrap=True, max_width=20)
    table.add_column("note")
    for column in columns[:MOST_COLUMNS]:
        cells = (column.name, column.kind, column.missing_text, f"{column.distinct:,}", column.example, column.note)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _inferred(scaffold: Scaffold) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=34)
    table.add_column("why")
    for inference in scaffold.inferences:
        if inference.key in ("data.train", "data.test", "data.sample_submission", "families"):
            continue  # as the user gave them, or as always
        style = "" if inference.sure else "dim"
        reason = inference.reason if inference.sure else f"{inference.reason} (commented out)"
        table.add_row(*(Text(cell, style=style) for cell in (inference.key, scalar(inference.value), reason)))
    return table


def _next(console: Console, scaffold: Scaffold) -> None:
    folder = shlex.quote(str(scaffold.folder))
    console.print()
    names = ", ".join(file.name for file in scaffold.files)
    console.print(Text(f"wrote {names} in {scaffold.folder}"))
    console.print(Text("next:"))
    for command, why in (
        (f"workbench run {folder} --time 2m", "search, blend, and write a submission"),
        (f'workbench try {folder} lightgbm --features v1 -m "first features"', "is features.py better, or noise?"),
        (f"workbench show factories:network {folder}", "the network of factories.py as a picture"),
    ):
        console.print(Padding(Text.assemble(command, ("  # " + why, "dim")), (0, 0, 0, 2)))
