"""The loop of a search: claim, ask, submit, listen, tell."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import Literal

from workbench.errors import LeaseLost, StoreError
from workbench.execution.contract import Executor
from workbench.search.lane import FAILURES_ALLOWED, Lane
from workbench.search.progress import Observer, Progress, TrialNews
from workbench.store.events import TrialFinished, TrialStarted
from workbench.store.ledger import Claim, Ledger
from workbench.types import (
    Described,
    Failed,
    Failure,
    Finished,
    Lost,
    Reported,
    Stopped,
    TrialResult,
    TrialState,
    Values,
    WorkerEvent,
)

POLL_SECONDS = 0.25
FLUSH_SECONDS = 1.0
RENEW_SECONDS = 10.0
TRAINING_SHARE = 0.8
"""Of the time up to the deadline; the rest is for predicting and storing."""


@dataclass
class Running:
    """A trial that is being worked on."""

    claim: Claim
    lane: Lane
    values: Values
    since: float
    stopping: bool = False


@dataclass
class Driver:
    """Runs the open trials of some families on an executor until budget or deadline end them.

    ``deadline`` is a moment of ``time.monotonic()``: what is running then is stopped, and queued for the next run.
    """

    ledger: Ledger
    executor: Executor
    sweep: int
    lanes: list[Lane]
    observer: Observer
    deadline: float | None = None
    _running: dict[str, Running] = field(default_factory=dict)
    _reports: list[tuple[int, Reported]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _flushed: float = 0.0
    _renewed: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Work until nothing is left to do. On Ctrl-C or SIGTERM the running trials are given back to the ledger."""
        try:
            while self._fill() or self._running:
                for event in self.executor.events(POLL_SECONDS):
                    self._take(event)
                self._upkeep()
        except BaseException:
            self._give_back()
            raise

    # --- giving work out ---------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Submit trials while there is room; say whether any was."""
        submitted = False
        while len(self._running) < self.executor.capacity:
            lane = self._next_lane()
            if lane is None:
                break
            submitted = self._start(lane) or submitted
        return submitted

    def _next_lane(self) -> Lane | None:
        """Return the open family that is furthest behind: in time where time is what is shared, else in trials."""
        lanes = [lane for lane in self.lanes if lane.open and self._fits(lane)]
        if self.deadline is not None:
            return min(lanes, key=lambda lane: (lane.seconds, lane.share), default=None)
        return min(lanes, key=lambda lane: lane.share, default=None)

    @property
    def _deliverable(self) -> bool:
        return any(lane.best is not None for lane in self.lanes)

    def _fits(self, lane: Lane) -> bool:
        """Say whether a trial of this family can be expected to end before the deadline.

        Until one trial is complete the deadline does not count: there would be nothing to deliver.
        """
        if self.deadline is None or not self._deliverable:
            return True
        return time.monotonic() + (lane.mean_seconds or 0.0) < self.deadline

    @property
    def _training_seconds(self) -> float | None:
        """What a trial that starts now has for its training: better ended early than stopped without a result."""
        return None if self.deadline is None else max(1.0, TRAINING_SHARE * (self.deadline - time.monotonic()))

    def _start(self, lane: Lane) -> bool:
        claim = lane.claim(self.ledger, self.sweep)
        if claim is None:
            lane.exhausted = True
            return False
        self._running[str(claim.attempt)] = Running(claim, lane, {}, time.monotonic())
        seconds = self._training_seconds
        values, features = lane.values(claim, seconds), lane.template.family.features
        started = TrialStarted(
            sweep=self.sweep,
            study=lane.study.id,
            trial=claim.trial,
            attempt=claim.attempt,
            family=lane.name,
            number=claim.number,
            values=values,
            code=lane.template.family.code,
            origin=claim.origin,
            note=claim.note,
            features=features.name if features else "",
        )
        try:
            self.ledger.begin(claim, values, started)
        except LeaseLost as error:
            del self._running[str(claim.attempt)]
            self.observer.notice(str(error))
            return True
        lane.claimed += 1
        self._running[str(claim.attempt)].values = values
        self.executor.submit(lane.job(claim, values, seconds))
        self._show()
        return True

    # --- taking answers ----------------------------------------------------------------------------------------------

    def _take(self, event: WorkerEvent) -> None:
        running = self._running.get(event.job_id)
        if running is None:
            return
        if isinstance(event, Reported):
            self._reports.append((running.claim.attempt, event))
            return
        self._flush()
        try:
            self._end(running, event)
        except LeaseLost as error:
            self.observer.notice(str(error))
        del self._running[event.job_id]
        self._show()

    def _end(self, running: Running, event: WorkerEvent) -> None:
        if isinstance(event, Finished):
            failure = _nonfinite(event.result)
            self._finish(running, "failed" if failure else "complete", None if failure else event.result, failure)
        elif isinstance(event, Failed):
            self._finish(running, "failed", None, event.failure)
        elif isinstance(event, Stopped) or (isinstance(event, Lost) and running.stopping):
            # The deadline's doing, not the trial's: the next run takes it up again.
            self.ledger.lose(running.claim, None)
            running.lane.claimed -= 1
        elif isinstance(event, Lost):
            self._lose(running, event)
        elif isinstance(event, Described):
            raise TypeError(f"{running.claim.name}: a fit was answered with a description")

    def _finish(
        self,
        running: Running,
        state: Literal["complete", "failed"],
        result: TrialResult | None,
        failure: Failure | None,
    ) -> None:
        claim, seconds = running.claim, time.monotonic() - running.since
        event = TrialFinished(
            sweep=self.sweep,
            study=running.lane.study.id,
            trial=claim.trial,
            attempt=claim.attempt,
            family=running.lane.name,
            number=claim.number,
            state=state,
            result=result,
            failure=failure,
        )
        self.ledger.finish(claim, event)
        self._record(running, state, result, failure, seconds)

    def _lose(self, running: Running, event: Lost) -> None:
        failure = Failure(code="lost", message=event.message)
        state = self.ledger.lose(running.claim, failure)
        if state == "queued":
            running.lane.claimed -= 1
            running.lane.exhausted = False
            self.observer.notice(f"{running.claim.name}: {event.message}; it is tried once more")
        else:
            self._record(running, state, None, failure, time.monotonic() - running.since)

    def _record(
        self, running: Running, state: TrialState, result: TrialResult | None, failure: Failure | None, seconds: float
    ) -> None:
        lane, claim = running.lane, running.claim
        score = result.score if result else None
        lane.seconds += seconds
        lane.record(claim.turn, running.values, state, score, seconds)
        error = result.score_se if result else None
        self.observer.trial(TrialNews(claim.name, state, score, error, seconds, failure))
        if lane.failed_in_a_row == FAILURES_ALLOWED:
            self.observer.notice(f"{lane.name}: {FAILURES_ALLOWED} trials failed in a row; the family is left out now")

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def _upkeep(self) -> None:
        moment = time.monotonic()
        if moment - self._flushed > FLUSH_SECONDS:
            self._flush()
            self._show()
        if moment - self._renewed > RENEW_SECONDS:
            self._renewed = moment
            self.ledger.renew(running.claim for running in self._running.values())
        if self.deadline is not None and moment > self.deadline and self._deliverable:
            for job_id, running in self._running.items():
                running.stopping = True
                self.executor.stop(job_id)

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        rows, self._reports = self._reports, []
        self.ledger.write_reports(rows)

    def _give_back(self) -> None:
        """Leave nothing running; a trial that cannot be given back now is queued when its lease has run out."""
        with contextlib.suppress(StoreError):
            self._flush()
        try:
            self.ledger.give_back(self.sweep)
        except StoreError as error:
            self.observer.notice(f"the running trials were not given back: {error}")
        self._running.clear()

    def _show(self) -> None:
        counts = {lane.name: 0 for lane in self.lanes}
        for running in self._running.values():
            counts[running.lane.name] += 1
        lanes = tuple(lane.progress(counts[lane.name]) for lane in self.lanes)
        self.observer.progress(Progress(lanes, time.monotonic() - self._started, self._seconds_left()))

    def _seconds_left(self) -> float | None:
        """Estimate from each family's mean; the deadline bounds it."""
        ahead = [lane for lane in self.lanes if lane.open and lane.done < lane.total]
        estimates = [lane.mean_seconds for lane in ahead]
        known = [seconds for seconds in estimates if seconds is not None]
        until = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if estimates and not known:
            return until
        guess = sum(known) / len(known) if known else 0.0
        work = sum((lane.mean_seconds or guess) * (lane.total - lane.done) for lane in ahead)
        left = work / self.executor.capacity
        return left if until is None else min(left, until)


def _nonfinite(result: TrialResult) -> Failure | None:
    if math.isfinite(result.score):
        return None
    return Failure(code="nonfinite", message=f"the score is {result.score} (by split: {list(result.scores)})")
