"""A family's side of a search: its study, its engine and pruner, and what it has cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.search.engine import Engine, Outcome, Suggestion
from workbench.search.history import Ended, History
from workbench.search.keys import Ground
from workbench.search.progress import LaneProgress
from workbench.search.pruning import NoPruner, Pruner
from workbench.search.screening import Screening, promotable
from workbench.store.event_log import Report
from workbench.store.ledger import ENDED, Claim, Ledger, Shared, Study, Trial
from workbench.types import Direction, Job, Space, Stage, TrialResult, TrialState, Values, as_loss, better

FAILURES_ALLOWED = 3
"""After so many failed trials in a row a family stops; the sweep goes on without it."""

CURVES_KEPT = 300
"""So many of a study's last trials, and `BEST_KEPT` of its best, are told to the pruner when a search goes on."""
BEST_KEPT = 10

LOOK_SECONDS = 2.0
"""Between two looks at all screenings in vain: they take 0.1 s where there are 10,000."""

HUNG = (3, 20.0, 600.0)
"""Once so many trials are complete, one has hung that takes so many times the longest, and at least so many seconds."""

Reports = Callable[[int], Sequence[Report]]
"""Takes an attempt's id and returns its epoch reports."""


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
    objectives: tuple[str, ...] = ("score",)
    """Fields of a result that the engine is told."""
    pruner: Pruner = field(default_factory=NoPruner)
    screening: Screening | None = None
    screening_pruner: Pruner = field(default_factory=NoPruner)
    """Screenings are judged apart: their curves are of fewer rows."""
    enqueued: list[Values] = field(default_factory=list)
    """Tried before the engine is asked, unless they were already."""
    seconds_allowed: float | None = None
    """Of workers, for the study in all."""
    trial_seconds: float | None = None
    """A trial that takes longer has hung; ``None`` judges by those before."""
    shared: Shared | None = None
    """What several families may have together; ``total`` is this one's own part then, and grows with what it draws."""
    drawing: bool = False
    """Its own part is used up, or time is: from now on it draws from what is shared."""
    claimed: int = 0
    exhausted: bool = False
    dry: bool = False
    """Its engine has nothing more to suggest."""
    waiting: bool = False
    """Its engine has nothing to try until a trial has ended."""
    failed_in_a_row: int = 0
    best: float | None = None
    seconds: float = 0.0
    """Spent by this driver."""
    spent: float = 0.0
    """Spent before, by anyone."""
    running: int = 0
    states: dict[TrialState, int] = field(default_factory=dict)
    durations: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """Seconds of trials that ended well: of screenings under ``True``, of whole ones under ``False``."""
    unfinished: list[tuple[Values, float]] = field(default_factory=list)
    """Configurations that a deadline of earlier runs ended early, best first, and the seconds that each had."""
    history: History = field(default_factory=History)
    _screened: set[int] = field(default_factory=set)
    """Ids of the trials whose screening the engine knows."""
    _look_again: float = -math.inf
    """When a hurried search looks next for what is worth promoting."""
    _seen: set[int] = field(default_factory=set)
    """Ids of the trials whose end the engine knows, or will be told."""
    _fused: bool = False
    """Whether the splits of the last complete trial that was restored trained at once."""

    def __post_init__(self) -> None:
        """A family without anything to search has one trial, which is not screened."""
        if not self.space.searched:
            self.total, self.screening, self.shared = 1, None, None

    @property
    def name(self) -> str:
        """The family's name."""
        return self.study.family

    @property
    def open(self) -> bool:
        """Say whether more trials may be claimed now."""
        return not self.exhausted and not self.waiting and not self.failing

    def used(self, under_way: float) -> float:
        """Return the share of its hours that is used up, with the seconds of what runs now; 0 without a limit."""
        return 0.0 if self.seconds_allowed is None else (self.spent + self.seconds + under_way) / self.seconds_allowed

    @property
    def failing(self) -> bool:
        """Say whether its last trials failed, so that it is left out."""
        return self.failed_in_a_row >= FAILURES_ALLOWED

    @property
    def share(self) -> float:
        """How much of the budget is claimed; the lane with the least is served first."""
        return self.claimed / self.total

    @property
    def mean_seconds(self) -> float | None:
        """What a trial takes on average, ``None`` before the first."""
        known = self.durations[self.screening is not None and self.claimed < self.total] or self.durations[False]
        return sum(known) / len(known) if known else None

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return sum(self.states.get(state, 0) for state in ENDED)

    def limit(self, stage: Stage) -> float | None:
        """Return after how many seconds a running trial has hung; ``None`` while nobody can say."""
        if self.trial_seconds is not None:
            return self.trial_seconds
        known = self.durations[stage == "screen"]
        enough, factor, least = HUNG
        return max(least, factor * max(known)) if len(known) >= enough else None

    # --- what was ----------------------------------------------------------------------------------------------------

    def restore(self, trials: Sequence[Trial], reports: Reports = lambda _: (), *, forgive: bool = False) -> None:
        """Tell the engine and the pruner what the ledger knows, in the order of the numbers.

        The engine learns from what people tried too; that counts neither for the budget nor as the search's failure. A
        family whose last trials failed stays closed, so that it does not burn its budget night by night; ``forgive``
        opens it again.
        """
        searched = [trial.id for trial in trials if trial.origin == "search"]
        turns = {trial: turn for turn, trial in enumerate(searched)}
        judged = {trial.id for trial in self._worth_telling(trials)}
        for trial in trials:
            if trial.id in self._seen:
                continue
            if trial.values:
                self.history.begin(trial.values)
            told = trial.id in judged or trial.state == "pruned"
            self._restore(trial, turns.get(trial.id, ~trial.number), reports if told else lambda _: ())
        if self.shared is not None:
            self.total = max(self.total, len(searched))
        self._find_unfinished(trials)
        if forgive:
            self.failed_in_a_row = 0

    def _worth_telling(self, trials: Sequence[Trial]) -> list[Trial]:
        ended = [trial for trial in trials if trial.state in ENDED]
        scored = [(as_loss(self.direction, t.result.score), t) for t in ended if t.result is not None]
        best = sorted(scored, key=lambda pair: (pair[0], pair[1].number))[:BEST_KEPT]
        return ended[-CURVES_KEPT:] + [trial for _, trial in best]

    def _restore(self, trial: Trial, turn: int, reports: Reports) -> None:
        if trial.screening is not None and trial.id not in self._screened:
            self._restore_screening(trial, trial.screening, turn, reports)
        if trial.state == "queued" or trial.state == "running" or trial.state == "screened":
            return
        self._seen.add(trial.id)
        curve, suggestion = _curve(trial, reports), Suggestion(trial.values, trial.epochs, trial.told)
        ended = Ended(trial.state, trial.result, trial.failure)
        if trial.origin == "search":
            if trial.result is not None:
                self._fused = bool(trial.result.fused)
            # A pruned trial has no result that could tell: it was trained as the one before it.
            self.pruner_of(trial.stage).restore(turn, _points(curve), ended.pruning, fused=self._fused)
            self.claimed += trial.id not in self._screened
            self._count(ended, trial.stage, trial.seconds)
        self._learn(turn, suggestion, trial.stage, ended, curve)

    def _restore_screening(self, trial: Trial, result: TrialResult, turn: int, reports: Reports) -> None:
        """Restore a trial's screening, whatever became of the trial since: its curve is that of its last attempt."""
        self._screened.add(trial.id)
        self.claimed += 1
        ended, curve = Ended("screened", result), _curve(trial, reports) if trial.state == "screened" else ()
        self.screening_pruner.restore(turn, _points(curve), ended.pruning, fused=bool(result.fused))
        before = self.failed_in_a_row
        self._count(ended, "screen", trial.seconds if trial.state == "screened" else None)
        if trial.state != "screened":
            self.failed_in_a_row = before
        self._learn(turn, Suggestion(trial.values, trial.epochs, trial.told), "screen", ended, curve)

    def learn_of_others(self, ledger: Ledger) -> None:
        """Tell the engine what other drivers of the same study have found meanwhile."""
        before = self.failed_in_a_row
        self.restore(ledger.trials(self.study.id), ledger.reports)
        self.failed_in_a_row = before

    def _find_unfinished(self, trials: Sequence[Trial]) -> None:
        results = [(trial, trial.result) for trial in trials if trial.result is not None]
        whole = [trial.values for trial, result in results if not result.truncated]
        early = [(trial, result) for trial, result in results if result.truncated and trial.values not in whole]
        early.sort(key=lambda pair: as_loss(self.direction, pair[1].score))
        self.unfinished = []
        for trial, _ in early:
            if all(trial.values != values for values, _ in self.unfinished):
                self.unfinished.append((trial.values, trial.seconds))

    # --- what is next ------------------------------------------------------------------------------------------------

    def claim(self, ledger: Ledger, sweep: int, *, hurried: bool = False) -> Claim | None:
        """Take the right to work on the family's next trial; ``None`` if there is none left, or none now.

        Promoted are the best of all screenings once these are over; ``hurried``, as time is short, the best so far.
        """
        if self.screening is None:
            total = self.shared.total if self.shared is not None and self.drawing else self.total
            return ledger.claim(self.study, sweep, total, shared=self.shared)
        if hurried and time.monotonic() >= self._look_again:
            queued = ledger.claim(self.study, sweep, 0, "screen")
            if (claim := queued or self._promote(ledger, sweep, self.screening, hurried=True)) is not None:
                return claim
            self._look_again = time.monotonic() + LOOK_SECONDS
        claim = ledger.claim(self.study, sweep, self.total, "screen")
        return claim or self._promote(ledger, sweep, self.screening, hurried=False)

    def begin_drawing(self) -> bool:
        """Go over to what families share; False where it draws already, or shares nothing."""
        begins = self.shared is not None and not self.drawing
        self.drawing |= begins
        return begins

    def _promote(self, ledger: Ledger, sweep: int, screening: Screening, *, hurried: bool) -> Claim | None:
        known = ledger.screenings(self.study.id)
        if not hurried and any(trial.stage == "screen" and trial.state in ("queued", "running") for trial in known):
            return None  # here, or in another driver: who ends the last one promotes
        for trial in promotable(known, self.direction, screening.promote):
            claim = ledger.promote(self.study, sweep, trial)
            if claim is not None:
                return claim
        return None

    def suggest(self, claim: Claim, seconds: float | None = None) -> Suggestion | None:
        """Return what to try with so many ``seconds`` of training (``None``: as long as it takes).

        That is what a lost attempt tried; the factory's defaults first; what was enqueued; what ended early and now has
        more than twice as long, from the best on; then what the engine says, ``None`` if it has nothing now.
        """
        if claim.values is not None:
            return Suggestion(claim.values, claim.epochs, claim.told)
        if claim.turn == 0 or not self.space.searched:
            return Suggestion(self.space.defaults())
        while self.enqueued:
            values = self.enqueued.pop(0)
            if not self.history.tried(values):
                return Suggestion(values)
        if self.unfinished and (seconds is None or seconds > 2.0 * self.unfinished[0][1]):
            return Suggestion(self.unfinished.pop(0)[0])
        return self.engine.ask(claim.turn, self.space)

    def job(self, claim: Claim, suggestion: Suggestion, seconds: float | None = None) -> Job:
        """Return the claimed trial as a job, with the time that it has."""
        values, epochs = suggestion.values, suggestion.epochs
        told = {
            "job_id": str(claim.attempt),
            "values": values,
            "epochs": epochs,
            "fit_key": self.ground.fit_key(self.template.family, values, epochs),
            "seconds": seconds,
            "screen": self.screening.part if self.screening and claim.stage == "screen" else None,
        }
        return self.template.model_copy(update=told)

    def pruner_of(self, stage: Stage) -> Pruner:
        """Return who judges trials of a stage."""
        return self.screening_pruner if stage == "screen" else self.pruner

    # --- what became of it -------------------------------------------------------------------------------------------

    def begin(self, claim: Claim, suggestion: Suggestion) -> None:
        """Take note of a trial that begins."""
        self._seen.add(claim.trial)
        self.history.begin(suggestion.values)
        self.claimed += claim.stage != "promoted"
        if self.shared is not None:
            self.total = max(self.total, self.claimed)
        self.running += 1

    def requeue(self, claim: Claim, seconds: float = 0.0) -> None:
        """Take note of a running trial that is queued again, and what it has cost."""
        self.claimed -= claim.stage != "promoted"
        self.running -= 1
        self.seconds += seconds
        self.exhausted = self.waiting = False
        self._seen.discard(claim.trial)
        self.pruner_of(claim.stage).forget(claim.turn)

    def end(
        self, claim: Claim, suggestion: Suggestion, ended: Ended, seconds: float, curve: Sequence[Report] = ()
    ) -> None:
        """Take note of a running trial of the search that has ended."""
        self.running -= 1
        self.waiting = False
        self.seconds += seconds
        if ended.state == "screened":
            self._screened.add(claim.trial)
            self._seen.discard(claim.trial)
        self._count(ended, claim.stage, seconds)
        self._learn(claim.turn, suggestion, claim.stage, ended, curve)

    def _count(self, ended: Ended, stage: Stage, seconds: float | None) -> None:
        self.states[ended.state] = self.states.get(ended.state, 0) + 1
        if stage == "promoted":
            self.states["screened"] = max(0, self.states.get("screened", 0) - 1)
        self.failed_in_a_row = self.failed_in_a_row + 1 if ended.state == "failed" else 0
        if seconds is not None and ended.result is not None and not ended.result.cached:
            self.durations[stage == "screen"].append(seconds)

    def _learn(
        self, turn: int, suggestion: Suggestion, stage: Stage, ended: Ended, curve: Sequence[Report] = ()
    ) -> None:
        """Tell engine and pruner; of a screened search the engine learns from the screenings alone."""
        self.history.end(suggestion.values, suggestion.epochs, ended, screened=stage == "screen")
        self.pruner_of(stage).end(turn, ended.pruning)
        if stage != "promoted":
            self.engine.tell(turn, self._outcome(suggestion, ended, curve), self.space)
        score = ended.result.score if ended.result and ended.state == "complete" else None
        if score is not None and (self.best is None or better(self.direction, score, self.best)):
            self.best = score

    def _outcome(self, suggestion: Suggestion, ended: Ended, curve: Sequence[Report]) -> Outcome:
        if ended.result is not None:
            return Outcome(suggestion, "complete", tuple(_objective(ended.result, name) for name in self.objectives))
        if ended.state == "pruned" and curve:
            last = {report.split: report.value for report in curve}
            return Outcome(suggestion, "pruned", steps=len(curve), last=float(np.mean(list(last.values()))))
        return Outcome(suggestion, "pruned" if ended.state == "pruned" else "failed")

    def progress(self) -> LaneProgress:
        """Return how far this family is."""
        counts = {state: self.states.get(state, 0) for state in ENDED}
        return LaneProgress(
            family=self.name,
            done=self.done,
            total=self.total,
            failed=counts["failed"],
            running=self.running,
            best=self.best,
            pruned=counts["pruned"],
            screened=counts["screened"],
        )


def _curve(trial: Trial, reports: Reports) -> Sequence[Report]:
    return () if trial.attempt is None else reports(trial.attempt)


def _points(curve: Sequence[Report]) -> list[tuple[int, int, float]]:
    return [(report.split, report.epoch, report.value) for report in curve]


def _objective(result: TrialResult, name: str) -> float:
    return float(getattr(result, name))


@dataclass
class TriedLane(Lane):
    """One configuration that a person tries, beside what a search would do; its engine is `Given`."""

    note: str = ""

    def claim(self, ledger: Ledger, sweep: int, *, hurried: bool = False) -> Claim | None:  # noqa: ARG002
        """Take the right to evaluate the configuration, once unless it is lost."""
        if self.claimed:
            return None
        suggestion = self.engine.ask(0, self.space)
        return ledger.claim_tried(self.study, sweep, suggestion.values if suggestion else {}, self.note)
