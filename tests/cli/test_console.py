"""What a terminal, and what is none, shows of a search."""

from __future__ import annotations

import io

from rich.console import Console

from workbench.console import TerminalObserver
from workbench.search.progress import LaneProgress, Progress, TrialNews
from workbench.types import Failure

LANES = (
    LaneProgress(family="mlp", done=14, total=20, failed=2, running=3, best=0.90177, pruned=5, screened=1),
    LaneProgress(family="dummy", done=1, total=1, failed=0, running=0, best=0.5),
)
PROGRESS = Progress(lanes=LANES, seconds=75.0, seconds_left=320.0, workers="4 workers, 1 core each")


def news(number: int, state: str, score: float | None = None, **changes: object) -> TrialNews:
    given = {"score_se": None, "seconds": 3.0, "failure": None, **changes}
    return TrialNews(name=f"mlp#{number:04d}", state=state, score=score, **given)


ENDED = (
    news(1, "complete", 0.91234),
    news(2, "complete", 0.9017, stage="promoted", batch_scale=0.5),
    news(3, "pruned", message="split 2, epoch 7: worse than the median"),
    news(4, "screened", 0.8912, stage="screen"),
    news(5, "failed", failure=Failure(code="oom", message="the worker ran out of memory\nand more of it")),
)


def watch(*, terminal: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal, color_system=None)
    observer = TerminalObserver(console)
    observer.phase("searching")
    observer.progress(PROGRESS)
    observer.progress(PROGRESS)
    for ended in ENDED:
        observer.trial(ended)
    if terminal:
        with observer:
            pass
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_log_has_a_line_for_each_trial_with_its_score_or_the_reason() -> None:
    assert watch(terminal=False) == [
        "searching …",
        "4 workers, 1 core each",
        "mlp#0001 complete 0.91234 (3.0s), about 5m20s left",
        "mlp#0002 complete 0.9017, promoted, half batch (3.0s), about 5m20s left",
        "mlp#0003 pruned: split 2, epoch 7: worse than the median (3.0s), about 5m20s left",
        "mlp#0004 screened: 0.8912 on its part of the rows (3.0s), about 5m20s left",
        "mlp#0005 failed (oom): the worker ran out of memory",
    ]


def test_a_terminal_has_a_table_of_the_families_and_what_failed() -> None:
    lines = watch(terminal=True)
    assert lines[0] == "mlp#0005 failed (oom): the worker ran out of memory"
    text = "\n".join(lines)
    assert "searching … 4 workers, 1 core each" in text
    assert "14/20  best 0.90177  3 running, 5 pruned, 1 screened, 2 failed" in text
    assert "1m15s elapsed, about 5m20s left" in text
