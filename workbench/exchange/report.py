"""What is printed of a pack that was written, and of one that was merged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from workbench.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from workbench.exchange.foreign import Adopted
    from workbench.exchange.merging import Merged
    from workbench.exchange.packing import Packed

KIB, MIB = 2**10, 2**20
NEXT = "next: workbench leaderboard DIR, workbench ensemble DIR, workbench submit DIR"


def show_packed(console: Console, packed: Packed) -> None:
    """Say what is in a pack."""
    manifest = packed.manifest
    scores = [trial.result.score for trial in manifest.trials]
    families = Counter(trial.family.name for trial in manifest.trials)
    listed = ", ".join(f"{count} {family}" for family, count in families.most_common())
    first, last = scores[0], scores[-1]  # best first
    lines = [
        f"{packed.file}: {counted(len(scores), 'trial')} of {manifest.author} ({listed}), {_size(packed.size)}",
        f"{manifest.metric.name} from {first:.5g} (best) to {last:.5g}",
        *packed.notices,
    ]
    if manifest.code:
        code = ", ".join(file.path.partition("/")[2] for file in manifest.code)
        lines.append(f"your code goes along: {code}")
    lines.append(f"a team member with the same data and folds takes it: workbench merge DIR {packed.file.name}")
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def show_merged(console: Console, merged: Merged) -> None:
    """Say what came, from whom, and what was refused and why."""
    table = Table(title=Text(f"{merged.file.name}, of {merged.author}"), box=box.SIMPLE_HEAD)
    table.add_column(Text("trial"), no_wrap=True)
    table.add_column(Text(merged.metric), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column(Text("remark"), overflow="fold")
    for fate in merged.fates:
        style = "yellow" if fate.outcome == "refused" else None
        cells = (fate.name or fate.theirs, f"{fate.score:.5g}", fate.outcome, fate.remark)
        table.add_row(*(Text(cell) for cell in cells), style=style)
    console.print(table)
    outcomes = Counter(fate.outcome for fate in merged.fates)
    console.print(Text(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())))
    if any(fate.outcome in ("new", "restored", "models added") for fate in merged.fates):
        console.print(Text(NEXT))
    if merged.code:
        names = ", ".join(file.name for file in merged.code)
        text = f"{merged.file.name} brings {names}: code that runs when you export or predict; look at it first"
        console.print(Text(f"{text}: {merged.code[0].parent}", style="yellow"), soft_wrap=True)


def show_adopted(console: Console, adopted: Adopted) -> None:
    """Say what the predictions of somebody else are worth, and what is to be known of them."""
    result, splits = adopted.result, counted(len(adopted.result.scores), "split")
    score = f"{adopted.metric} {result.score:.5g} ± {result.score_se:.2g} over {splits}"
    console.print(Text(f"{adopted.trial}  {score}  {adopted.outcome}"), soft_wrap=True)
    for notice in adopted.notices:
        console.print(Text(f"note: {notice}", style="yellow"))
    if adopted.outcome != "already there":
        if adopted.blended:
            console.print(Text("it has no model: submissions blend it, the exported model leaves it out"))
        console.print(Text(NEXT))


def _size(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{size / KIB:.0f} KiB"
