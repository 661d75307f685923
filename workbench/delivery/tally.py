"""What became of each family's trials, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.types import FailureCode, TrialState, Value
from workbench.wording import counted

if TYPE_CHECKING:
    from workbench.store.ledger import Trial

ORDER: tuple[TrialState, ...] = ("complete", "pruned", "failed", "screened", "running", "queued")


class Tally(Value):
    """A family's trials, counted."""

    family: str
    states: dict[TrialState, int]
    failures: dict[FailureCode, int] = Field(default_factory=dict)
    """The failed ones by the code of their last attempt's failure."""
    promoted: int = 0
    """Of all these: went on as whole trials after their screening."""


def tallies(trials: Iterable[Trial]) -> tuple[Tally, ...]:
    """Count a store's trials by family, in the order in which the families come first."""
    families: dict[str, list[Trial]] = {}
    for trial in trials:
        families.setdefault(trial.family, []).append(trial)
    return tuple(_count(family, members) for family, members in families.items())


def tally(families: Iterable[Tally]) -> tuple[str, ...]:
    """Return a line a family: ``mlp: 20 trials: 13 complete, 5 pruned, 2 failed (oom 1, timeout 1), promoted 3``."""
    return tuple(_line(family) for family in families)


def _count(family: str, trials: list[Trial]) -> Tally:
    failed = [trial.failure.code for trial in trials if trial.state == "failed" and trial.failure is not None]
    return Tally(
        family=family,
        states=dict(Counter(trial.state for trial in trials)),
        failures=dict(Counter(failed)),
        promoted=sum(trial.stage == "promoted" for trial in trials),
    )


def _line(family: Tally) -> str:
    total = sum(family.states.values())
    parts = [_part(family, state, family.states[state]) for state in ORDER if family.states.get(state)]
    if parts == [f"{total} complete"]:
        parts = ["all complete" if total > 1 else "complete"]
    parts += [f"promoted {family.promoted}"] if family.promoted else []
    trials = f"{family.family}: {counted(total, 'trial')}"
    return f"{trials}: {', '.join(parts)}" if parts else trials


def _part(family: Tally, state: TrialState, count: int) -> str:
    codes = [f"{code} {number}" for code, number in sorted(family.failures.items()) if number]
    reasons = f" ({', '.join(codes)})" if state == "failed" and codes else ""
    return f"{count} {state}{reasons}"
