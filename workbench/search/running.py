"""A trial that a driver works on, and what its end means."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from workbench.search.engine import Suggestion
from workbench.search.history import Ended
from workbench.search.lane import Lane
from workbench.store.event_log import Report
from workbench.store.ledger import Claim
from workbench.types import Failure, Job, Reported, TrialResult

Ending = Literal["", "pruned", "deadline", "timeout", "interrupt"]
"""Why a trial was told to stop."""


@dataclass(eq=False)
class Running:
    """A trial that is being worked on."""

    claim: Claim
    lane: Lane
    suggestion: Suggestion
    since: float
    """When its worker began, or when it was handed over."""
    begun: bool = False
    """Whether a worker is at it."""
    device: str = ""
    """The worker's."""
    job: Job | None = None
    waits_for: Running | None = None
    """An equal one: what comes of that comes of both."""
    ending: Ending = ""
    message: str = ""
    curve: list[Report] = field(default_factory=list)
    earlier: list[Report] = field(default_factory=list)
    """What the attempt before has reported, until it is known where this one goes on."""

    @property
    def seconds(self) -> float:
        """Since it was begun; one that waits costs nothing."""
        return 0.0 if self.waits_for is not None else time.monotonic() - self.since

    @property
    def known(self) -> Ended | None:
        """How an equal trial has ended, if this one would end so again."""
        suggestion, screened = self.suggestion, self.claim.stage == "screen"
        return self.lane.history.known(suggestion.values, suggestion.epochs, screened=screened)

    def equals(self, other: Running) -> bool:
        """Say whether both would train the same."""
        return (
            self.lane is other.lane
            and self.suggestion.values == other.suggestion.values
            and self.suggestion.epochs == other.suggestion.epochs
            and (self.claim.stage == "screen") == (other.claim.stage == "screen")
        )

    def taken_up(self, first: Reported | None) -> Iterable[Reported]:
        """Yield, once, what the attempt before reported up to the checkpoint that this one goes on from.

        That is all before the first report of this one; all there is if it ends without any.
        """
        earlier, self.earlier = self.earlier, []
        for split, epoch, value, loss in earlier:
            if first is None or (split, epoch) < (first.split, first.epoch):
                together = 1 if first is None else first.together
                yield Reported(
                    job_id=str(self.claim.attempt),
                    split=split,
                    epoch=epoch,
                    value=value,
                    loss=loss,
                    together=together,
                )


def judged(result: TrialResult) -> Ended:
    """Return what a finished job means: a score that is no number is a failure."""
    if not math.isfinite(result.score):
        message = f"the score is {result.score} (by split: {list(result.scores)})"
        return Ended("failed", failure=Failure(code="nonfinite", message=message))
    return Ended("screened" if result.screened else "complete", result)


def again(known: Ended) -> Ended:
    """Return the end of a configuration that was tried before: it costs nothing."""
    result = known.result.model_copy(update={"cached": True}) if known.result else None
    return Ended(known.state, result, known.failure, known.message or "an equal configuration was tried before")
