"""The leaderboard: the blend and the best trials of every family, the base that all must beat among them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workbench.blending.result import BlendResult
from workbench.delivery.files import write_text
from workbench.delivery.refit import REFITTED
from workbench.errors import StoreError
from workbench.types import BASE_FAMILY, Direction, TrialResult, Value, as_loss, trial_name
from workbench.wording import less_or_more

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Rank = Callable[[float], float]


class Entry(NamedTuple):
    """A trial with a result."""

    family: str
    number: int
    result: TrialResult
    promoted: bool = False
    """It was screened before."""


class Row(Value):
    """One line of the leaderboard."""

    place: int
    """1 is the best."""
    name: str
    """``lightgbm#0017``, or ``blend nelder_mead``."""
    family: str
    """``blend`` for the blend."""
    score: float
    """Out-of-fold mean over splits; of a blend the nested score. Of its kind the fairest there is, so these compare."""
    score_se: float
    """Standard error of ``score`` over splits."""
    in_sample: float | None = None
    """Of a blend: the score on the rows on which its weights were fitted."""
    holdout: float | None = None
    """Of a blend: the score on rows that nothing has seen, where some were set aside."""
    holdout_se: float | None = None
    """Standard error of ``holdout`` over rows."""
    best_single_holdout: float | None = None
    """Score on the same rows of the trial that is the best out-of-fold."""
    weight: float | None = None
    """The trial's weight in the blend; ``None`` outside it."""
    fit_s: float | None = None
    """Seconds of training, all splits."""
    note: str = ""


def leaderboard(
    trials: Sequence[Entry | tuple[str, int, TrialResult]],
    blend: BlendResult | None,
    direction: Direction,
    *,
    per_family: int = 1,
    note: str = "",
) -> tuple[Row, ...]:
    """Return the blend, its members and the ``per_family`` best trials of each family, best first.

    A model that does not beat the best `dummy` trial is noted as below base. Equal scores are ordered by name. Screened
    trials have no place: their scores are of a part of the rows. ``note`` is said of the blend.
    """
    entries = [entry for entry in (Entry(*trial) for trial in trials) if not entry.result.screened]
    rank = partial(as_loss, direction)
    base = min((e.result.score for e in entries if e.family == BASE_FAMILY), key=rank, default=None)
    weights = {(m.family, m.number): m.weight for m in blend.members} if blend is not None else {}
    shown = _best(entries, rank, per_family) | {e[:2] for e in entries if e[:2] in weights}
    rows = [
        _trial_row(e, weights.get(e[:2]), _note(e.family, e.result.score, base, rank))
        for e in entries
        if e[:2] in shown
    ]
    if blend is not None:
        notes = (_note("blend", blend.nested, base, rank), note)
        rows.append(_blend_row(blend, ", ".join(filter(None, notes))))
    ordered = sorted(rows, key=lambda row: (rank(row.score), row.family != "blend", row.name))
    return tuple(row.model_copy(update={"place": place}) for place, row in enumerate(ordered, start=1))


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    """Write the rows as CSV; cells without a value are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Row.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return write_text(path, text.getvalue())


def read_csv(path: Path) -> tuple[Row, ...]:
    """Read what `write_csv` wrote.

    Raises:
        StoreError: the file is absent or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [{key: cell for key, cell in line.items() if cell != ""} for line in csv.DictReader(file)]
        return tuple(Row.model_validate(line) for line in lines)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read as a leaderboard: {error}") from error


def render(rows: Sequence[Row], *, title: str, metric: str, direction: Direction) -> Table:
    """Return the rows as a Rich table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), caption=_caption(rows, metric, direction), box=box.SIMPLE_HEAD, caption_justify="left"
    )
    for heading in ("#", "model", metric, "±", "weight", "fit s"):
        table.add_column(Text(heading), justify="left" if heading == "model" else "right", no_wrap=True)
    table.add_column("")
    for row in rows:
        cells = [_number(row.score), _number(row.score_se, 2), _number(row.weight, 3)]
        seconds = "" if row.fit_s is None else f"{row.fit_s:.1f}"
        style = "bold" if row.family == "blend" else None
        table.add_row(str(row.place), Text(row.name), *cells, seconds, Text(row.note), style=style)
    return table


def _caption(rows: Sequence[Row], metric: str, direction: Direction) -> Text:
    """Return what the numbers are: the in-sample score of the blend is told as what it is."""
    from rich.text import Text

    lines = [f"{metric}, {less_or_more(direction)} is better; out-of-fold mean ± standard error over splits"]
    for row in rows:
        if row.family == "blend" and REFITTED in row.note:
            lines.append("the scores are of the folds' models; what is delivered has no out-of-fold score of its own")
        if row.in_sample is not None:
            lines.append(f"the blend's score is nested; in-sample (optimistic) it has {_number(row.in_sample)}")
        if row.holdout is not None:
            lines.append(
                f"holdout (rows that nothing has seen): {_number(row.holdout)} ± {_number(row.holdout_se, 2)}; "
                f"there the best single model has {_number(row.best_single_holdout)}"
            )
    return Text("\n".join(lines))


def _best(entries: Sequence[Entry], rank: Rank, count: int) -> set[tuple[str, int]]:
    """Return (family, number) of each family's best trials; of equal ones the earlier."""
    ordered = sorted(entries, key=lambda e: (rank(e.result.score), e.number))
    families = {entry.family for entry in entries}
    return {e[:2] for family in families for e in [e for e in ordered if e.family == family][:count]}


def _note(family: str, score: float, base: float | None, rank: Rank) -> str:
    if family == BASE_FAMILY:
        return "base"
    return "below base" if base is not None and rank(score) >= rank(base) else ""


def _trial_row(entry: Entry, weight: float | None, note: str) -> Row:
    result = entry.result
    notes = {
        note: bool(note),
        "promoted": entry.promoted,
        "ended early": result.truncated,
        batch_note(result.batch_scale): result.batch_scale < 1.0,
    }
    return Row(
        place=0,
        name=trial_name(entry.family, entry.number),
        family=entry.family,
        score=result.score,
        score_se=result.score_se,
        weight=weight,
        fit_s=result.fit_s,
        note=", ".join(text for text, applies in notes.items() if applies),
    )


def batch_note(scale: float) -> str:
    """Say what became of the batch size where memory was short: the score is not that of the values alone."""
    return "half batch" if scale == 0.5 else f"batch x {scale:g}"


def _blend_row(blend: BlendResult, note: str) -> Row:
    return Row(
        place=0,
        name=f"blend {blend.method}",
        family="blend",
        score=blend.nested,
        score_se=blend.nested_se,
        in_sample=blend.in_sample,
        **({} if blend.holdout is None else blend.holdout.model_dump(include=set(Row.model_fields))),
        weight=sum(member.weight for member in blend.members),
        note=note,
    )


def _number(value: float | None, digits: int = 5) -> str:
    return "" if value is None else f"{value:.{digits}g}"
