"""The loop of a search: claim, ask, submit, listen, judge, tell."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from workbench import signals
from workbench.errors import LeaseLost, StoreError
from workbench.execution.contract import Executor
from workbench.search.engine import Suggestion
from workbench.search.history import Ended
from workbench.search.lane import FAILURES_ALLOWED, Lane
from workbench.search.patience import Patience
from workbench.search.pool import Pool
from workbench.search.progress import Observer, Progress, TrialNews
from workbench.search.running import Ending, Running, again, judged
from workbench.search.schedule import Schedule
from workbench.store.event_log import Report
from workbench.store.events import TrialFinished, TrialStarted
from workbench.store.ledger import Ledger
from workbench.store.vault import remove_checkpoints
from workbench.types import (
    Began,
    Described,
    Failed,
    Failure,
    Finished,
    Lost,
    Reported,
    Stopped,
    WorkerEvent,
)

POLL_SECONDS = 0.25
FLUSH_SECONDS = 1.0
RENEW_SECONDS = 10.0
START_SECONDS = 120.0
"""How long a worker may take to start, which is no part of a trial's time."""
STOP_SECONDS = 11.0
"""How long trials may take to end their epoch and keep it, when somebody stops the search."""


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
    pool: Pool | None = None
    """Gives out the trials that families share."""
    _running: dict[str, Running] = field(default_factory=dict)
    _reports: list[tuple[int, Reported]] = field(default_factory=list)
    _flushed: float = 0.0
    _renewed: float = field(default_factory=time.monotonic)
    _schedule: Schedule = field(init=False)
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        """Nothing runs, and nothing is paused."""
        self._schedule = Schedule(self.lanes, self._running, self.deadline, self.pool)
        self._patience = Patience(self.store, self.observer.notice)

    def run(self) -> None:
        """Work until nothing is left to do. On Ctrl-C or SIGTERM the running trials are given back to the ledger.

        Signals are heeded between two steps, so that neither a write nor what is known of a trial is ever torn.
        """
        with signals.deferred():
            try:
                while self._fill() or self._running or (self._patience.paused and not self._schedule.late):
                    for event in self.executor.events(POLL_SECONDS):
                        self._take(event)
                        signals.check()
                    self._upkeep()
                    signals.check()
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
        self._patience.look()
        submitted = False
        while not self._patience.paused and len(self._running) < self.executor.capacity:
            signals.check()
            lane = self._schedule.next_lane()
            if lane is None:
                break
            submitted = self._start(lane) or submitted
        return submitted

    def _start(self, lane: Lane) -> bool:
        """Begin the family's next trial; say whether there was one."""
        claim = self._patience.write(lambda: lane.claim(self.ledger, self.sweep, hurried=self._schedule.hurried(lane)))
        if claim is None:
            if not lane.begin_drawing():
                self._nothing_left(lane)
            return False
        if claim.turn > lane.claimed and claim.origin == "search":
            lane.learn_of_others(self.ledger)
        running = Running(claim, lane, Suggestion({}), time.monotonic())
        self._running[str(claim.attempt)] = running
        seconds = self._schedule.training_seconds
        suggestion = lane.suggest(claim, seconds)
        if suggestion is None:
            del self._running[str(claim.attempt)]
            with contextlib.suppress(LeaseLost):
                self._patience.write(lambda: self.ledger.withdraw(claim))
            self._nothing_left(lane)
            lane.dry = lane.exhausted
            return False
        running.suggestion = suggestion
        self._begin(running, seconds)
        return True

    def _nothing_left(self, lane: Lane) -> None:
        """Ask a family again when a trial of its own has ended, if there is one."""
        lane.waiting = lane.running > 0
        lane.exhausted = not lane.waiting

    def _begin(self, running: Running, seconds: float | None) -> None:
        """Write down what is tried, and have it tried unless an equal one has ended."""
        claim, lane, asked = running.claim, running.lane, running.suggestion
        started, known = self._started(running), running.known
        lane.begin(claim, asked)
        if self.pool is not None and lane.drawing and claim.parent is None:
            self.pool.drawn[lane.name] += 1
        try:
            self._patience.write(lambda: self.ledger.begin(claim, asked.values, started, asked.epochs, asked.state))
            if known is not None and claim.origin == "search":
                del self._running[str(claim.attempt)]
                self._finish(running, again(known))
                return
        except LeaseLost as error:
            self._running.pop(str(claim.attempt), None)
            self._let_go(running, error)
            return
        if claim.parent is not None and claim.values is not None:
            running.earlier = list(self.ledger.reports(claim.parent))
        running.job = lane.job(claim, asked, seconds)
        self._submit(running)
        self._show()

    def _started(self, running: Running) -> TrialStarted:
        claim, family = running.claim, running.lane.template.family
        return TrialStarted(
            sweep=self.sweep,
            study=running.lane.study.id,
            trial=claim.trial,
            attempt=claim.attempt,
            family=running.lane.name,
            number=claim.number,
            values=running.suggestion.values,
            code=family.code,
            origin=claim.origin,
            note=claim.note,
            features=family.features.name if family.features else "",
            stage=claim.stage,
            epochs=running.suggestion.epochs,
        )

    def _submit(self, running: Running) -> None:
        """Hand a trial to a worker; while an equal one is with one, it waits for what comes of that."""
        others = (other for other in self._running.values() if other is not running and other.waits_for is None)
        running.waits_for = next((other for other in others if other.equals(running)), None)
        if running.waits_for is None and running.job is not None:
            running.since = time.monotonic()
            self.executor.submit(running.job)

    def _settle(self, ended: Running) -> None:
        """End those that waited for an equal trial, or have the first of them tried."""
        if ended in self._running.values():
            return  # once more at half the batch size
        for running in [each for each in self._running.values() if each.waits_for is ended]:
            known = running.known
            if known is None and not ended.ending:
                self._submit(running)
                continue
            del self._running[str(running.claim.attempt)]
            try:
                if known is None:
                    self._requeue(running)
                else:
                    self._finish(running, again(known))
            except LeaseLost as error:
                self._let_go(running, error)

    def _let_go(self, running: Running, error: LeaseLost) -> None:
        running.lane.requeue(running.claim)
        self.observer.notice(str(error))

    # --- taking answers ----------------------------------------------------------------------------------------------

    def _take(self, event: WorkerEvent) -> None:
        running = self._running.get(event.job_id)
        if running is None:
            return
        if isinstance(event, Began):
            # The start of a worker is not the trial's time.
            running.since, running.begun, running.device = time.monotonic(), True, event.device
            return
        if isinstance(event, Reported):
            self._hear(running, event)
            return
        self._flush()
        del self._running[event.job_id]
        try:
            self._end(running, event)
        except LeaseLost as error:
            self._let_go(running, error)
        self._settle(running)
        self._show()

    def _hear(self, running: Running, event: Reported) -> None:
        """Keep a report, and let the pruner judge it.

        What comes after its verdict is not kept, and a trial that ends before it hears of it is pruned all the same:
        how a search goes does not hang on how fast workers are.
        """
        if running.ending == "pruned":
            return
        for earlier in running.taken_up(event):
            self._keep(running, earlier)
        if why := self._keep(running, event):
            running.message = f"split {event.split}, epoch {event.epoch}: {why}"
            self._stop(running, "pruned")

    def _keep(self, running: Running, event: Reported) -> str:
        """Keep a report; return the pruner's verdict on it, "" to go on."""
        claim = running.claim
        self._reports.append((claim.attempt, event))
        running.curve.append(Report(event.split, event.epoch, event.value, event.loss))
        if running.ending or claim.origin != "search":
            return ""
        pruner = running.lane.pruner_of(claim.stage)
        return pruner.report(claim.turn, event.split, event.epoch, event.value, event.together)

    def _stop(self, running: Running, ending: Ending) -> None:
        running.ending = ending
        self.executor.stop(str(running.claim.attempt))

    def _end(self, running: Running, event: WorkerEvent) -> None:
        if running.ending == "pruned":
            self._finish(running, Ended("pruned", message=running.message))
        elif isinstance(event, Finished):
            for earlier in running.taken_up(None):
                self._keep(running, earlier)
            self._finish(running, judged(event.result))
        elif isinstance(event, Failed):
            self._fail(running, event.failure)
        elif isinstance(event, (Stopped, Lost)) and running.ending == "timeout":
            limit = running.lane.limit(running.claim.stage) or running.seconds
            failure = Failure(code="timeout", message=f"no end within {limit:.0f} s; see search.trial_time")
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
            self._patience.pause(failure.message)
            self._requeue(running)
        elif failure.code == "oom" and self.halve_on_oom and running.job and running.job.batch_scale == 1.0:
            self.observer.notice(f"{running.claim.name}: out of memory; once more at half the batch size")
            running.job = running.job.model_copy(update={"batch_scale": 0.5})
            running.curve.clear()
            running.lane.pruner_of(running.claim.stage).forget(running.claim.turn)
            self._running[running.job.job_id] = running
            self.executor.submit(running.job)
        else:
            self._finish(running, Ended("failed", failure=failure))

    def _requeue(self, running: Running) -> None:
        self._patience.write(lambda: self.ledger.lose(running.claim, None))
        running.lane.requeue(running.claim, running.seconds)

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
            device=running.device,
        )
        self._patience.write(lambda: self.ledger.finish(claim, event))
        self._patience.relax()
        self._record(running, ended)

    def _lose(self, running: Running, event: Lost) -> None:
        failure = Failure(code="lost", message=event.message)
        state = self._patience.write(lambda: self.ledger.lose(running.claim, failure))
        if state == "queued":
            running.lane.requeue(running.claim, running.seconds)
            self.observer.notice(f"{running.claim.name}: {event.message}; it is tried once more")
        else:
            self._record(running, Ended("failed", failure=failure))

    def _record(self, running: Running, ended: Ended) -> None:
        lane, claim, result = running.lane, running.claim, ended.result
        if running.job is not None and running.job.vault is not None and ended.state in ("pruned", "failed"):
            remove_checkpoints(running.job.vault, running.job.fit_key)
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
            self._patience.write(lambda: self.ledger.renew([running.claim for running in self._running.values()]))
        late = self._schedule.late
        for running in list(self._running.values()):
            limit = running.lane.limit(running.claim.stage)
            if running.ending or running.waits_for is not None:
                continue
            if late:
                self._stop(running, "deadline")
            elif limit is not None and running.seconds > limit + (0.0 if running.begun else START_SECONDS):
                self._stop(running, "timeout")

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        rows, self._reports = self._reports, []
        self._patience.write(lambda: self.ledger.write_reports(rows))

    def _wind_down(self) -> None:
        """Let running trials end their epoch and keep it; a second Ctrl-C ends this too."""
        self._patience.leave()
        for running in self._running.values():
            if not running.ending:
                self._stop(running, "interrupt")
        end = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < end and self.executor.busy:
            for event in self.executor.events(POLL_SECONDS):
                with contextlib.suppress(StoreError):  # what cannot be written is given back, now or by the next run
                    self._take(event)
            signals.check()

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
        lanes, schedule = tuple(lane.progress() for lane in self.lanes), self._schedule
        left, workers = schedule.seconds_left(self.executor.capacity), self.executor.devices
        self.observer.progress(Progress(lanes, schedule.seconds, left, workers))
