"""The loop of a search: claim, ask, submit, listen, judge, tell."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from workbench.errors import LeaseLost, StoreError
from workbench.execution.contract import Executor
from workbench.search.engine import Suggestion
from workbench.search.history import Ended
from workbench.search.lane import FAILURES_ALLOWED, Lane
from workbench.search.progress import Observer, Progress, TrialNews
from workbench.store.disk import LITTLE_MB, free_mb, is_full
from workbench.store.event_log import Report
from workbench.store.events import TrialFinished, TrialStarted
from workbench.store.ledger import Claim, Ledger
from workbench.types import (
    Began,
    Described,
    Failed,
    Failure,
    Finished,
    Job,
    Lost,
    Reported,
    Stopped,
    TrialResult,
    WorkerEvent,
)

POLL_SECONDS = 0.25
FLUSH_SECONDS = 1.0
RENEW_SECONDS = 10.0
DISK_SECONDS = 5.0
TRAINING_SHARE = 0.8
"""Of the time up to the deadline; the rest is for predicting and storing."""
START_SECONDS = 120.0
"""How long a worker may take to start, which is no part of a trial's time."""
STOP_SECONDS = 11.0
"""How long trials may take to end their epoch and keep it, when somebody stops the search."""

Ending = Literal["", "pruned", "deadline", "timeout", "interrupt"]
"""Why a trial was told to stop."""

T = TypeVar("T")


@dataclass
class Running:
    """A trial that is being worked on."""

    claim: Claim
    lane: Lane
    suggestion: Suggestion
    since: float
    begun: bool = False
    """Whether a worker is at it."""
    job: Job | None = None
    ending: Ending = ""
    message: str = ""
    curve: list[Report] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return time.monotonic() - self.since


@dataclass
class Driver:
    """Runs the open trials of some families on an executor until budget or deadline end them.

    ``deadline`` is a moment of ``time.monotonic()``: what is running then is stopped, and queued for the next run.
    ``store`` is the folder whose disk must not be full.
    """

    ledger: Ledger
    executor: Executor
    sweep: int
    lanes: list[Lane]
    observer: Observer
    deadline: float | None = None
    store: Path | None = None
    halve_on_oom: bool = False
    _running: dict[str, Running] = field(default_factory=dict)
    _reports: list[tuple[int, Reported]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _flushed: float = 0.0
    _renewed: float = field(default_factory=time.monotonic)
    _looked: float = -math.inf
    _paused: bool = False

    def run(self) -> None:
        """Work until nothing is left to do. On Ctrl-C or SIGTERM the running trials are given back to the ledger."""
        try:
            while self._fill() or self._running or self._paused:
                for event in self.executor.events(POLL_SECONDS):
                    self._take(event)
                self._upkeep()
        except BaseException as error:
            try:
                if isinstance(error, KeyboardInterrupt):
                    self._wind_down()
            finally:
                self._give_back()
            raise

    # --- giving work out ---------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Submit trials while there is room; say whether any was."""
        self._look_at_disk()
        submitted = False
        while not self._paused and len(self._running) < self.executor.capacity:
            lane = self._next_lane()
            if lane is None:
                break
            submitted = self._start(lane) or submitted
        return submitted

    def _next_lane(self) -> Lane | None:
        """Return the open family that is furthest behind: in time where time is what is shared, else in trials."""
        lanes = [lane for lane in self.lanes if lane.open and self._fits(lane)]
        if self.deadline is not None:
            return min(lanes, key=lambda lane: (self._time_of(lane), lane.share), default=None)
        return min(lanes, key=lambda lane: lane.share, default=None)

    def _time_of(self, lane: Lane) -> float:
        return lane.seconds + sum(running.seconds for running in self._running.values() if running.lane is lane)

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
        """Begin the family's next trial; say whether there was one."""
        claim = self._patiently(lambda: lane.claim(self.ledger, self.sweep))
        if claim is None:
            self._nothing_left(lane)
            return False
        if claim.turn > lane.claimed and claim.origin == "search":
            lane.learn_of_others(self.ledger)
        running = Running(claim, lane, Suggestion({}), time.monotonic())
        self._running[str(claim.attempt)] = running
        seconds = self._training_seconds
        suggestion = lane.suggest(claim, seconds)
        if suggestion is None:
            del self._running[str(claim.attempt)]
            self._patiently(lambda: self.ledger.withdraw(claim))
            self._nothing_left(lane)
            return False
        running.suggestion = suggestion
        return self._begin(running, seconds)

    def _nothing_left(self, lane: Lane) -> None:
        """Ask a family again when a trial of its own has ended, if there is one."""
        lane.waiting = lane.running > 0
        lane.exhausted = not lane.waiting

    def _begin(self, running: Running, seconds: float | None) -> bool:
        claim, lane, suggestion = running.claim, running.lane, running.suggestion
        features = lane.template.family.features
        started = TrialStarted(
            sweep=self.sweep,
            study=lane.study.id,
            trial=claim.trial,
            attempt=claim.attempt,
            family=lane.name,
            number=claim.number,
            values=suggestion.values,
            code=lane.template.family.code,
            origin=claim.origin,
            note=claim.note,
            features=features.name if features else "",
            stage=claim.stage,
            epochs=suggestion.epochs,
        )
        known = lane.history.known(suggestion.values, suggestion.epochs, screened=claim.stage == "screen")
        lane.begin(claim, suggestion)
        try:
            self._patiently(
                lambda: self.ledger.begin(claim, suggestion.values, started, suggestion.epochs, suggestion.state)
            )
            if known is not None and claim.origin == "search":
                del self._running[str(claim.attempt)]
                self._finish(running, _again(known))
                return True
        except LeaseLost as error:
            self._running.pop(str(claim.attempt), None)
            lane.requeue(claim)
            self.observer.notice(str(error))
            return True
        running.job = lane.job(claim, suggestion, seconds)
        self.executor.submit(running.job)
        self._show()
        return True

    # --- taking answers ----------------------------------------------------------------------------------------------

    def _take(self, event: WorkerEvent) -> None:
        running = self._running.get(event.job_id)
        if running is None:
            return
        if isinstance(event, Began):
            # The start of a worker is not the trial's time.
            running.since, running.begun = time.monotonic(), True
            return
        if isinstance(event, Reported):
            self._hear(running, event)
            return
        self._flush()
        del self._running[event.job_id]
        try:
            self._end(running, event)
        except LeaseLost as error:
            running.lane.requeue(running.claim)
            self.observer.notice(str(error))
        self._show()

    def _hear(self, running: Running, event: Reported) -> None:
        """Keep a report, and let the pruner judge it.

        What comes after its verdict is not kept, and a trial that ends before it hears of it is pruned all the same:
        how a search goes does not hang on how fast workers are.
        """
        if running.ending == "pruned":
            return
        self._reports.append((running.claim.attempt, event))
        running.curve.append(Report(event.split, event.epoch, event.value, event.loss))
        claim = running.claim
        if running.ending or claim.origin != "search":
            return
        pruner = running.lane.pruner_of(claim.stage)
        if why := pruner.report(claim.turn, event.split, event.epoch, event.value, event.together):
            running.message = f"split {event.split}, epoch {event.epoch}: {why}"
            self._stop(running, "pruned")

    def _stop(self, running: Running, ending: Ending) -> None:
        running.ending = ending
        self.executor.stop(str(running.claim.attempt))

    def _end(self, running: Running, event: WorkerEvent) -> None:
        if running.ending == "pruned":
            self._finish(running, Ended("pruned", message=running.message))
        elif isinstance(event, Finished):
            self._finish(running, _judged(event.result))
        elif isinstance(event, Failed):
            self._fail(running, event.failure)
        elif isinstance(event, (Stopped, Lost)) and running.ending == "timeout":
            failure = Failure(code="timeout", message=f"no end after {running.seconds:.0f} s; see search.trial_time")
            self._finish(running, Ended("failed", failure=failure))
        elif isinstance(event, Stopped) or (isinstance(event, Lost) and running.ending):
            # The deadline's doing or somebody's, not the trial's: the next run takes it up again.
            self._requeue(running)
        elif isinstance(event, Lost):
            self._lose(running, event)
        elif isinstance(event, Described):
            raise TypeError(f"{running.claim.name}: a fit was answered with a description")

    def _fail(self, running: Running, failure: Failure) -> None:
        if failure.code == "disk":
            self._pause(failure.message)
            self._requeue(running)
        elif failure.code == "oom" and self.halve_on_oom and running.job and running.job.batch_scale == 1.0:
            self.observer.notice(f"{running.claim.name}: out of memory; once more at half the batch size")
            running.job = running.job.model_copy(update={"batch_scale": 0.5})
            self._running[running.job.job_id] = running
            self.executor.submit(running.job)
        else:
            self._finish(running, Ended("failed", failure=failure))

    def _requeue(self, running: Running) -> None:
        self._patiently(lambda: self.ledger.lose(running.claim, None))
        running.lane.requeue(running.claim)

    def _finish(self, running: Running, ended: Ended) -> None:
        claim = running.claim
        event = TrialFinished(
            sweep=self.sweep,
            study=running.lane.study.id,
            trial=claim.trial,
            attempt=claim.attempt,
            family=running.lane.name,
            number=claim.number,
            state=ended.state,
            result=ended.result,
            failure=ended.failure,
            message=ended.message,
        )
        self._patiently(lambda: self.ledger.finish(claim, event))
        self._record(running, ended)

    def _lose(self, running: Running, event: Lost) -> None:
        failure = Failure(code="lost", message=event.message)
        state = self._patiently(lambda: self.ledger.lose(running.claim, failure))
        if state == "queued":
            running.lane.requeue(running.claim)
            self.observer.notice(f"{running.claim.name}: {event.message}; it is tried once more")
        else:
            self._record(running, Ended("failed", failure=failure))

    def _record(self, running: Running, ended: Ended) -> None:
        lane, claim, result = running.lane, running.claim, ended.result
        lane.end(claim, running.suggestion, ended, running.seconds, running.curve)
        news = TrialNews(
            name=claim.name,
            state=ended.state,
            score=result.score if result else None,
            score_se=result.score_se if result else None,
            seconds=running.seconds,
            failure=ended.failure,
            message=ended.message,
            stage=claim.stage,
            batch_scale=result.batch_scale if result else 1.0,
        )
        self.observer.trial(news)
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
            self._patiently(lambda: self.ledger.renew([running.claim for running in self._running.values()]))
        late = self.deadline is not None and moment > self.deadline and self._deliverable
        for running in list(self._running.values()):
            limit = running.lane.limit(running.claim.stage)
            if running.ending:
                continue
            if late:
                self._stop(running, "deadline")
            elif limit is not None and running.seconds > limit + (0.0 if running.begun else START_SECONDS):
                self._stop(running, "timeout")

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        rows, self._reports = self._reports, []
        self._patiently(lambda: self.ledger.write_reports(rows))

    def _look_at_disk(self) -> None:
        """Pause while the store's disk is nearly full, and go on when there is room."""
        if self.store is None or time.monotonic() - self._looked < DISK_SECONDS:
            return
        self._looked = time.monotonic()
        free = free_mb(self.store)
        if free < LITTLE_MB:
            self._pause(f"{free:.0f} MiB are free in {self.store}, and {LITTLE_MB:.0f} are needed")
        elif self._paused:
            self._paused = False
            self.observer.notice("there is room on the disk again: going on")

    def _pause(self, why: str) -> None:
        if not self._paused:
            self._paused = True
            self._looked = time.monotonic()
            self.observer.notice(f"paused: {why}; free some space and the search goes on by itself")

    def _patiently(self, write: Callable[[], T]) -> T:
        """Write to the ledger; while its disk is full, wait until there is room: nothing is lost."""
        while True:
            try:
                return write()
            except StoreError as error:
                if not is_full(error):
                    raise
                self._pause(str(error))
                time.sleep(1.0)

    def _wind_down(self) -> None:
        """Let running trials end their epoch and keep it; a second Ctrl-C ends this too."""
        for running in self._running.values():
            if not running.ending:
                self._stop(running, "interrupt")
        end = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < end and self.executor.busy:
            for event in self.executor.events(POLL_SECONDS):
                self._take(event)

    def _give_back(self) -> None:
        """Leave nothing running; a trial that cannot be given back now is queued when its lease has run out."""
        with contextlib.suppress(StoreError):
            self.ledger.write_reports(self._reports)
        try:
            self.ledger.give_back(self.sweep)
        except StoreError as error:
            self.observer.notice(f"the running trials were not given back: {error}")
        self._running.clear()

    def _show(self) -> None:
        lanes = tuple(lane.progress() for lane in self.lanes)
        seconds, workers = time.monotonic() - self._started, self.executor.devices
        self.observer.progress(Progress(lanes, seconds, self._seconds_left(), workers))

    def _seconds_left(self) -> float | None:
        """Estimate from each family's mean; the deadline bounds it."""
        ahead = [lane for lane in self.lanes if not lane.exhausted and not lane.failing and lane.done < lane.total]
        estimates = [lane.mean_seconds for lane in ahead]
        known = [seconds for seconds in estimates if seconds is not None]
        until = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if estimates and not known:
            return until
        guess = sum(known) / len(known) if known else 0.0
        work = sum((lane.mean_seconds or guess) * (lane.total - lane.done) for lane in ahead)
        left = work / self.executor.capacity
        return left if until is None else min(left, until)


def _judged(result: TrialResult) -> Ended:
    """Return what a finished job means: a score that is no number is a failure."""
    if not math.isfinite(result.score):
        message = f"the score is {result.score} (by split: {list(result.scores)})"
        return Ended("failed", failure=Failure(code="nonfinite", message=message))
    return Ended("screened" if result.screened else "complete", result)


def _again(known: Ended) -> Ended:
    """Return the end of a configuration that was tried before: it costs nothing."""
    result = known.result.model_copy(update={"cached": True}) if known.result else None
    return Ended(known.state, result, known.failure, known.message or "an equal configuration was tried before")
