"""How a sweep looks in a terminal: a live table, or lines where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from workbench.delivery.leaderboard import batch_note, read_csv, render
from workbench.delivery.result import SweepResult
from workbench.delivery.tally import Tally, tally
from workbench.durations import format_duration
from workbench.evaluation import Comparison
from workbench.search.progress import LaneProgress, Progress, TrialNews
from workbench.wording import less_or_more

BAR_WIDTH = 24
NARROW_BAR_WIDTH = 10
WIDE = 100
"""Columns of a terminal from which on the bars are wide."""
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
        """Show the families' bars; where there is no live table, what works on them, once."""
        before = "" if self._progress is None else self._progress.workers
        if progress.workers != before and not self._console.is_terminal:
            self._console.print(Text(progress.workers))
        self._progress = progress

    def trial(self, news: TrialNews) -> None:
        """Print a line where there is no live table, and whatever failed."""
        if news.state == "failed":
            self._console.print(Text(_trial_line(news), style="red"), soft_wrap=True)
        elif not self._console.is_terminal:
            took = format_duration(news.seconds)
            self._console.print(Text(f"{_trial_line(news)} ({took}){self._left()}"), soft_wrap=True)

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text, style="yellow"))

    def _left(self) -> str:
        if self._progress is None or self._progress.seconds_left is None or self._progress.seconds_left < 1.0:
            return ""  # no trial is left to begin; those that run take as long as they take
        return f", about {format_duration(self._progress.seconds_left)} left"

    def _render(self) -> RenderableType:
        searching = self._progress is not None and self._phase == "searching"
        workers = self._progress.workers if self._progress is not None and searching else ""
        self._spinner.update(text=Text.assemble(f"{self._phase} …", (f" {workers}", "dim")))
        if self._progress is None or not searching:
            return self._spinner
        bar = BAR_WIDTH if self._console.width >= WIDE else NARROW_BAR_WIDTH
        table = Table.grid(padding=(0, 2))
        for lane in self._progress.lanes:
            table.add_row(*_lane_cells(lane, bar))
        clock = f"{format_duration(self._progress.seconds)} elapsed{self._left()}"
        return Group(self._spinner, table, Text(clock, style="dim"))


def _lane_cells(lane: LaneProgress, width: int) -> tuple[RenderableType, ...]:
    best = "" if lane.best is None else f"best {lane.best:.5g}"
    counts = [
        ("running" if lane.running == 1 else f"{lane.running} running", lane.running, "green"),
        (f"{lane.pruned} pruned", lane.pruned, "yellow"),
        (f"{lane.screened} screened", lane.screened, "cyan"),
        (f"{lane.failed} failed", lane.failed, "red"),
    ]
    shown = [Text(text, style=style) for text, number, style in counts if number]
    bar = ProgressBar(total=lane.total, completed=lane.done, width=width)
    done = Text(f"{lane.done}/{lane.total}", no_wrap=True)
    return Text(lane.family), bar, done, Text(best, no_wrap=True), Text(", ").join(shown)


def _trial_line(news: TrialNews) -> str:
    """Return what became of a trial: its score, or why it has none."""
    if news.failure is not None:
        return f"{news.name} failed ({news.failure.code}): {_first_line(news.failure.message)}"
    score = "" if news.score is None else f" {news.score:.5g}"
    if news.state == "screened":
        return f"{news.name} screened:{score} on its part of the rows"
    reason = f": {_first_line(news.message)}" if news.message else ""
    promoted = ", promoted" if news.stage == "promoted" else ""
    batch = f", {batch_note(news.batch_scale)}" if news.batch_scale < 1.0 else ""
    return f"{news.name} {news.state}{score}{reason}{promoted}{batch}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def show_result(console: Console, result: SweepResult, folder: Path, store: Path | None = None) -> None:
    """Print the leaderboard, the blend's scores by name, and where everything lies.

    ``folder`` and ``store`` are as they were given on the command line.
    """
    paths = result.paths
    if paths.leaderboard is not None and paths.leaderboard.is_file():
        rows = read_csv(paths.leaderboard)
        console.print(render(rows, title=result.title, metric=result.metric, direction=result.direction))
    show_tallies(console, result.tallies)
    places = {
        "submission": paths.submission,
        "model": paths.model,
        "result": paths.folder / "result.json",
        "MLflow": result.tracking_uri,
    }
    for name, place in places.items():
        if place is not None:
            console.print(Text.assemble((f"{name:<11}", "dim"), _short(str(place))), soft_wrap=True)
    look = f"workbench ui {_short(str(folder))}"
    look += "" if store is None else f" --store {_short(str(store))}"
    console.print(Text(f"done in {format_duration(result.seconds)}; look at it with: {look}", style="dim"))


def show_tallies(console: Console, tallies: Iterable[Tally]) -> None:
    """Print what became of each family's trials, a line each."""
    lines = tally(tallies)
    if lines:
        console.print(Text("\n".join(("", *lines, ""))), soft_wrap=True)


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print an idea's scores beside its baseline's, by split, and the verdict."""
    table = Table(
        title=Text(f"{comparison.candidate} against {comparison.baseline}"),
        caption=Text(f"{comparison.metric}, {less_or_more(comparison.direction)} is better"),
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
