"""What a family's search has tried: equal configurations are recognised, and cost nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from workbench.types import Failure, FailureCode, TrialResult, Values, fingerprint

REPEATABLE: tuple[FailureCode, ...] = ("factory", "shape", "nonfinite", "oom")
"""Failures of the configuration itself: tried again, it fails again."""

EndState = Literal["complete", "pruned", "screened", "failed"]


@dataclass(frozen=True)
class Ended:
    """How a trial ended."""

    state: EndState
    result: TrialResult | None = None
    failure: Failure | None = None
    message: str = ""

    @property
    def pruning(self) -> Literal["complete", "pruned", "failed"]:
        """The same as pruners know it."""
        return "complete" if self.state == "screened" else self.state

    @property
    def repeatable(self) -> bool:
        """Whether an equal configuration would end in the same way."""
        if self.result is not None:
            return not self.result.truncated and self.result.batch_scale == 1.0
        return self.state == "pruned" or (self.failure is not None and self.failure.code in REPEATABLE)


@dataclass
class History:
    """The configurations of a study, and how those ended that need not be tried again."""

    _begun: set[str] = field(default_factory=set)
    _ended: dict[str, Ended] = field(default_factory=dict)

    def begin(self, values: Values) -> None:
        """Take note of a configuration that is tried."""
        self._begun.add(fingerprint(values))

    def tried(self, values: Values) -> bool:
        """Say whether a configuration was tried, or is just now."""
        return fingerprint(values) in self._begun

    def end(self, values: Values, epochs: int | None, ended: Ended, *, screened: bool) -> None:
        """Take note of how a trial ended; ``screened`` ones are apart from whole ones."""
        self.begin(values)
        if ended.repeatable:
            self._ended[fingerprint(values, epochs, screened)] = ended

    def known(self, values: Values, epochs: int | None, *, screened: bool) -> Ended | None:
        """Return how an equal configuration ended, if it would end so again."""
        return self._ended.get(fingerprint(values, epochs, screened))
