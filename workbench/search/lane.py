"""A family's side of a search: its study, its engine, and what it has cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.search.engine import Engine, Outcome, Suggestion
from workbench.search.keys import Ground
from workbench.search.progress import LaneProgress
from workbench.store.ledger import TERMINAL, Claim, Ledger, Study, Trial
from workbench.types import Direction, Job, Space, TrialState, Values, as_loss, better

FAILURES_ALLOWED = 3
"""After so many failed trials in a row a family stops; the sweep goes on without it."""


@dataclass
class Lane:
    """A family that is being searched."""

    study: Study
    space: Space
    engine: Engine
    ground: Ground
    template: Job
    """A fit job of this family that lacks its values."""
    total: int
    direction: Direction
    claimed: int = 0
    exhausted: bool = False
    failed_in_a_row: int = 0
    best: float | None = None
    seconds: float = 0.0
    """Spent by this driver."""
    states: dict[TrialState, int] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    unfinished: list[tuple[Values, float]] = field(default_factory=list)
    """Configurations that a deadline of earlier runs ended early, best first, and the seconds that each had."""

    def __post_init__(self) -> None:
        """A family without anything to search has one trial."""
        if not self.space.searched:
            self.total = 1

    @property
    def name(self) -> str:
        """The family's name."""
        return self.study.family

    @property
    def open(self) -> bool:
        """Say whether more trials may be claimed."""
        return not self.exhausted and self.failed_in_a_row < FAILURES_ALLOWED

    @property
    def share(self) -> float:
        """How much of the budget is claimed; the lane with the least is served first."""
        return self.claimed / self.total

    @property
    def mean_seconds(self) -> float | None:
        """What a trial takes on average, ``None`` before the first."""
        return sum(self.durations) / len(self.durations) if self.durations else None

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return sum(self.states.get(state, 0) for state in TERMINAL)

    def restore(self, trials: list[Trial], *, forgive: bool = False) -> None:
        """Tell the engine what the ledger knows, in the order of the numbers.

        It learns from what people tried too; that counts neither for the budget nor as the search's failure. A family
        whose last trials failed stays closed, so that it does not burn its budget night by night; ``forgive`` opens it
        again.
        """
        searched = [trial.id for trial in trials if trial.origin == "search"]
        turns = {trial: turn for turn, trial in enumerate(searched)}
        for trial in trials:
            if trial.state not in TERMINAL:
                continue
            score = trial.result.score if trial.result else None
            if trial.origin == "search":
                self.claimed += 1
                self.record(turns[trial.id], trial.values, trial.state, score, trial.seconds)
            else:
                self._learn(~trial.number, trial.values, score)
        self._find_unfinished(trials)
        if forgive:
            self.failed_in_a_row = 0

    def claim(self, ledger: Ledger, sweep: int) -> Claim | None:
        """Take the right to work on the family's next trial; ``None`` if there is none left."""
        return ledger.claim(self.study, sweep, self.total)

    def _find_unfinished(self, trials: list[Trial]) -> None:
        results = [(trial, trial.result) for trial in trials if trial.result is not None]
        whole = [trial.values for trial, result in results if not result.truncated]
        early = [(trial, result) for trial, result in results if result.truncated and trial.values not in whole]
        early.sort(key=lambda pair: as_loss(self.direction, pair[1].score))
        for trial, _ in early:
            if all(trial.values != values for values, _ in self.unfinished):
                self.unfinished.append((trial.values, trial.seconds))

    def values(self, claim: Claim, seconds: float | None = None) -> Values:
        """Return what to try with so many ``seconds`` of training (``None``: as long as it takes).

        That is what a lost attempt tried; the factory's defaults first; what ended early and now has more than twice as
        long, from the best on; then what the engine says.
        """
        if claim.values is not None:
            return claim.values
        if claim.turn == 0 or not self.space.searched:
            return self.space.defaults()
        if self.unfinished and (seconds is None or seconds > 2.0 * self.unfinished[0][1]):
            return self.unfinished.pop(0)[0]
        suggestion = self.engine.ask(claim.turn, self.space)
        return suggestion.values if suggestion else self.space.defaults()

    def job(self, claim: Claim, values: Values, seconds: float | None = None) -> Job:
        """Return the claimed trial as a job, with the time that it has."""
        key = self.ground.fit_key(self.template.family, values)
        told = {"job_id": str(claim.attempt), "values": values, "fit_key": key, "seconds": seconds}
        return self.template.model_copy(update=told)

    def record(self, turn: int, values: Values, state: TrialState, score: float | None, seconds: float) -> None:
        """Take note of a trial of the search that has ended; ``turn`` is its place among those."""
        self._learn(turn, values, score if state == "complete" else None)
        self.states[state] = self.states.get(state, 0) + 1
        self.failed_in_a_row = self.failed_in_a_row + 1 if state == "failed" else 0
        if state == "complete":
            self.durations.append(seconds)

    def _learn(self, turn: int, values: Values, score: float | None) -> None:
        ended = (
            Outcome(Suggestion(values), "failed")
            if score is None
            else Outcome(Suggestion(values), "complete", (score,))
        )
        self.engine.tell(turn, ended, self.space)
        if score is not None and (self.best is None or better(self.direction, score, self.best)):
            self.best = score

    def progress(self, running: int) -> LaneProgress:
        """Return how far this family is."""
        failed = self.states.get("failed", 0)
        return LaneProgress(self.name, self.done, self.total, failed, running, self.best)


@dataclass
class TriedLane(Lane):
    """One configuration that a person tries, beside what a search would do; its engine is `Given`."""

    note: str = ""

    def claim(self, ledger: Ledger, sweep: int) -> Claim | None:
        """Take the right to evaluate the configuration, once unless it is lost."""
        if self.claimed:
            return None
        suggestion = self.engine.ask(0, self.space)
        return ledger.claim_tried(self.study, sweep, suggestion.values if suggestion else {}, self.note)
