"""How a sweep looks in a terminal: a live table, or lines where the output is not a terminal."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from workbench.delivery.leaderboard import read_csv, render
from workbench.delivery.result import SweepResult
from workbench.durations import format_duration
from workbench.evaluation import Comparison
from workbench.search.progress import LaneProgress, Progress, TrialNews

BAR_WIDTH = 24
BAR_HALF = 8
"""Cells on either side of a difference's middle."""
SHOWN_SPLITS = 20
"""So many splits of a comparison are listed; their mean is over all."""


class TerminalObserver:
    """Shows a sweep while it runs. A context manager: the live display ends with the block."""

    def __init__(self, console: Console) -> None:
        """Draw on ``console``; what is not a terminal gets a line for each trial."""
        self._console = console
        self._phase = ""
        self._progress: Progress | None = None
        self._spinner = Spinner("dots")
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> TerminalObserver:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show what is being done."""
        self._phase = text
        if not self._console.is_terminal:
            self._console.print(Text(f"{text} …"))

    def progress(self, progress: Progress) -> None:
        """Show the families' bars."""
        self._progress = progress

    def trial(self, news: TrialNews) -> None:
        """Print a line where there is no live table, and whatever failed."""
        took = format_duration(news.seconds)
        if news.failure is not None:
            self._console.print(Text(f"{news.name} failed ({news.failure.code}): {news.failure.message}", style="red"))
        elif not self._console.is_terminal:
            score = "" if news.score is None else f" {news.score:.5g}"
            self._console.print(Text(f"{news.name} {news.state}{score} ({took}){self._left()}"))

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text, style="yellow"))

    def _left(self) -> str:
        if self._progress is None or self._progress.seconds_left is None:
            return ""
        return f", about {format_duration(self._progress.seconds_left)} left"

    def _render(self) -> RenderableType:
        self._spinner.update(text=Text(f"{self._phase} …"))
        if self._progress is None or self._phase != "searching":
            return self._spinner
        table = Table.grid(padding=(0, 2))
        for lane in self._progress.lanes:
            table.add_row(*_lane_cells(lane))
        clock = f"{format_duration(self._progress.seconds)} elapsed{self._left()}"
        return Group(self._spinner, table, Text(clock, style="dim"))


def _lane_cells(lane: LaneProgress) -> tuple[RenderableType, ...]:
    best = "" if lane.best is None else f"best {lane.best:.5g}"
    failed = Text(f"{lane.failed} failed", style="red") if lane.failed else Text("")
    running = Text("running" if lane.running else "", style="green")
    bar = ProgressBar(total=lane.total, completed=lane.done, width=BAR_WIDTH)
    return Text(lane.family), bar, Text(f"{lane.done}/{lane.total}"), Text(best), running, failed


def show_result(console: Console, result: SweepResult, folder: Path) -> None:
    """Print the leaderboard, the blend's scores by name, and where everything lies."""
    paths = result.paths
    if paths.leaderboard is not None and paths.leaderboard.is_file():
        rows = read_csv(paths.leaderboard)
        console.print(render(rows, title=result.title, metric=result.metric, direction=result.direction))
    places = {
        "submission": paths.submission,
        "model": paths.model,
        "result": paths.folder / "result.json",
        "MLflow": result.tracking_uri,
    }
    for name, place in places.items():
        if place is not None:
            console.print(Text.assemble((f"{name:<11}", "dim"), _short(str(place))), soft_wrap=True)
    console.print(
        Text(
            f"done in {format_duration(result.seconds)}; look at it with: workbench ui {_short(str(folder))}",
            style="dim",
        )
    )


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print an idea's scores beside its baseline's, by split, and the verdict."""
    better = "less" if comparison.direction == "minimize" else "more"
    table = Table(
        title=Text(f"{comparison.candidate} against {comparison.baseline}"),
        caption=Text(f"{comparison.metric}, {better} is better"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("split", "baseline", "candidate", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("worse · better", justify="center", no_wrap=True)
    scores = list(zip(comparison.baseline_scores, comparison.candidate_scores, comparison.differences, strict=True))
    largest = max((abs(difference) for *_, difference in scores), default=0.0)
    for split, (old, new, difference) in enumerate(scores[:SHOWN_SPLITS]):
        gain = difference if comparison.direction == "maximize" else -difference
        bar = _bar(gain / largest if largest else 0.0)
        table.add_row(str(split), f"{old:.5g}", f"{new:.5g}", f"{difference:+.3g}", bar)
    if len(scores) > SHOWN_SPLITS:
        table.add_row("…", f"{len(scores) - SHOWN_SPLITS} more")
    mean = (f"{comparison.baseline_score:.5g}", f"{comparison.candidate_score:.5g}", f"{comparison.difference:+.3g}")
    table.add_section()
    table.add_row("mean", *mean)
    console.print(table)
    console.print(Text(comparison.summary))
    style = {"better": "bold green", "worse": "bold red", "noise": "bold"}[comparison.verdict]
    console.print(Text(f"{comparison.verdict}: {comparison.reason}", style=style))
    if comparison.note:
        console.print(Text(f"note: {comparison.note}", style="dim"))


def _bar(part: float) -> Text:
    """Return a bar from the middle: to the right what is better, to the left what is worse; ``part`` is in [-1, 1]."""
    cells = round(abs(part) * BAR_HALF)
    left, right = ("█" * cells, "") if part < 0 else ("", "█" * cells)
    return Text.assemble((left.rjust(BAR_HALF), "red"), "│", (right.ljust(BAR_HALF), "green"))


def _short(place: str) -> str:
    """Return a path as seen from the current folder, where that is shorter."""
    here = f"{Path.cwd()}/"
    return place.removeprefix(here)
