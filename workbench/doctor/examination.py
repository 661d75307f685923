"""All checks in a row, and how they look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench.config.models import TrainingConfig
from workbench.doctor.check import Check, Status
from workbench.doctor.keras import keras_check
from workbench.doctor.machine import machine_checks
from workbench.doctor.packages import package_checks
from workbench.doctor.ports import port_checks
from workbench.doctor.store import store_checks
from workbench.doctor.tracking import tracking_check
from workbench.experiment import Experiment

STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def examine(experiment: Experiment | None) -> Iterator[Check]:
    """Look at the machine, and at an experiment's store and tracking where one is given.

    Checks come as they are made: Keras, in a process of its own, takes seconds.
    """
    yield from machine_checks()
    yield from package_checks()
    training = TrainingConfig() if experiment is None else experiment.config.training
    yield keras_check(training.backend)
    if experiment is not None:
        yield from store_checks(experiment)
        yield tracking_check(experiment)
    yield from port_checks()


def show(console: Console, checks: Iterable[Check]) -> bool:
    """Print checks as a table, and what to do about what is wrong; say whether nothing is a problem.

    Each check's line begins with its status, so that it is found with ``grep ^problem`` where the output is piped.
    """
    with console.status("looking; Keras takes some seconds to import …"):
        made = list(checks)
    console.print(_table(made))
    counts = {status: sum(check.status == status for check in made) for status in STYLES}
    console.print(Text(_verdict(counts["problem"], counts["warning"])))
    return counts["problem"] == 0


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    area = ""
    for check in checks:
        if area and check.area != area:
            table.add_row()
        area = check.area
        table.add_row(Text(check.status, style=STYLES[check.status]), Text(check.name), _said(check))
    return table


def _said(check: Check) -> Text:
    said = Text(check.found)
    return said.append(f"\n→ {check.remedy}", style="dim") if check.remedy else said


def _verdict(problems: int, warnings: int) -> str:
    if not problems and not warnings:
        return "\nall is well"
    parts = [
        f"{count} {name}{'s' if count > 1 else ''}" for count, name in ((problems, "problem"), (warnings, "warning"))
    ]
    return "\n" + " and ".join(part for part, count in zip(parts, (problems, warnings), strict=True) if count)
