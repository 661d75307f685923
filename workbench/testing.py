"""Contract tests: inherit one, say how yours is made, and pytest holds it to what the workbench expects.

::

    class TestMyEngine(EngineContract):
        def make(self, options):
            return MyEngine(options)
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

from workbench.errors import TrialStopped
from workbench.execution.contract import Executor, ExecutorOptions, Report
from workbench.models.hyperparameters import HyperParameters
from workbench.search.engine import Engine, EngineOptions, Outcome, Suggestion
from workbench.types import (
    Began,
    FamilyRef,
    Finished,
    Job,
    MetricRef,
    Reported,
    Space,
    TrialResult,
    Values,
    WorkerEvent,
)


def awkward_space() -> Space:
    """Return a space with every kind of parameter, conditions, geometric steps and mirrored logs."""
    hp = HyperParameters()
    hp.Float("lr", 1e-4, 1e-1, sampling="log")
    hp.Float("momentum", 0.5, 0.999, sampling="reverse_log")
    hp.Int("depth", 2, 9)
    hp.Int("width", 16, 256, step=2, sampling="log")
    hp.Float("rate", 0.0, 0.5, step=0.1)
    hp.Boolean("norm")
    hp.Fixed("version", 3)
    hp.Choice("optimizer", ["sgd", "adam"])
    with hp.conditional_scope("optimizer", ["adam"]):
        hp.Float("beta", 0.8, 0.99)
    return hp.space


def bowl(values: Values) -> float:
    """Return a score with its minimum in the middle of `awkward_space`."""
    return (float(values["depth"]) - 5.0) ** 2 + abs(float(values["rate"]) - 0.2) + float(values["lr"])


def outcome(number: int, suggestion: Suggestion) -> Outcome:
    """Return what became of a trial: of five, one failed and one was pruned; the others have the score of `bowl`."""
    if number % 5 == 4:
        return Outcome(suggestion, "failed")
    if number % 5 == 2:
        return Outcome(suggestion, "pruned", steps=number, last=bowl(suggestion.values))
    return Outcome(suggestion, "complete", (bowl(suggestion.values),))


class EngineContract(ABC):
    """What a search engine must hold to."""

    @abstractmethod
    def make(self, options: EngineOptions) -> Engine:
        """Return a new engine."""

    def _search(self, engine: Engine, numbers: range, space: Space) -> list[Suggestion]:
        asked = []
        for number in numbers:
            suggestion = self._asked(engine, number, space)
            engine.tell(number, outcome(number, suggestion), space)
            asked.append(suggestion)
        return asked

    def test_suggestions_are_active_and_in_range(self) -> None:
        """Every suggestion has exactly the active parameters, and a factory's ``hp`` accepts each of them."""
        space = awkward_space()
        for suggestion in self._search(self.make(EngineOptions("minimize", seed=1, startup=3)), range(12), space):
            values = suggestion.values
            expected = [p.name for p in space.parameters if p.active(values)]
            if list(values) != expected:
                raise AssertionError(f"expected values for {expected}, got {list(values)}")
            hp = HyperParameters(values)
            hp.Float("lr", 1e-4, 1e-1, sampling="log")
            hp.Int("width", 16, 256, step=2, sampling="log")
            hp.Float("momentum", 0.5, 0.999, sampling="reverse_log")

    def test_an_interrupted_search_suggests_what_an_uninterrupted_one_would(self) -> None:
        """An engine that is told its history again goes on as if nothing had happened."""
        space, options = awkward_space(), EngineOptions("minimize", seed=7, startup=4)
        whole = self._search(self.make(options), range(14), space)
        resumed = self.make(options)
        for number, suggestion in enumerate(whole[:9]):
            resumed.tell(number, outcome(number, suggestion), space)
        rest = self._search(resumed, range(9, 14), space)
        if rest != whole[9:]:
            raise AssertionError(f"expected {whole[9:]}, got {rest}")

    def test_trials_in_flight_at_an_interruption_may_end_in_any_order(self) -> None:
        """Two trials ran when the search was interrupted; told later, they leave no trace of it."""
        space, options = awkward_space(), EngineOptions("minimize", seed=3, startup=4)
        whole, resumed = self.make(options), self.make(options)
        told = dict(enumerate(self._search(whole, range(8), space)))
        told.update({number: self._asked(whole, number, space) for number in (8, 9)})
        for number in (*range(8), 9, 8):
            resumed.tell(number, outcome(number, told[number]), space)
        for number in (8, 9):
            whole.tell(number, outcome(number, told[number]), space)
        expected, got = (self._search(engine, range(10, 13), space) for engine in (whole, resumed))
        if got != expected:
            raise AssertionError(f"expected {expected}, got {got}")

    def test_parallel_suggestions_differ(self) -> None:
        """What is asked for before anything is told is not the same; it may be told in any order."""
        space, engine = awkward_space(), self.make(EngineOptions("minimize", seed=5, startup=3))
        self._search(engine, range(6), space)
        asked = {number: self._asked(engine, number, space) for number in range(6, 10)}
        if any(asked[left].values == asked[right].values for left in asked for right in asked if left < right):
            raise AssertionError(f"expected four configurations, got {asked}")
        for number in (9, 6, 8, 7):
            engine.tell(number, outcome(number, asked[number]), space)
        engine.tell(10, outcome(10, Suggestion(space.defaults())), space)
        self._asked(engine, 11, space)

    def _asked(self, engine: Engine, number: int, space: Space) -> Suggestion:
        """Ask where the engine cannot be at its end: continuous parameters have always more to try."""
        suggestion = engine.ask(number, space)
        if suggestion is None:
            raise AssertionError(f"expected values for number {number}, got none")
        return suggestion

    def test_seeds_differ(self) -> None:
        """Another seed suggests other values."""
        space = awkward_space()
        left, right = (self.make(EngineOptions("minimize", seed=seed)).ask(1, space) for seed in (1, 2))
        if left == right:
            raise AssertionError(f"both seeds suggest {left}")

    def test_history_of_another_space_is_understood(self) -> None:
        """Values that the space no longer has, or has in another range, do no harm."""
        engine = self.make(EngineOptions("maximize", seed=1, startup=1))
        for number in range(4):
            strange = Suggestion({"gone": 1, "depth": 400, "lr": 0.01 * (number + 1)})
            engine.tell(number, Outcome(strange, "complete", (float(number),)), awkward_space())
        engine.ask(4, awkward_space())


class ExecutorContract(ABC):
    """What an executor must hold to; the runner is a stub that needs no model."""

    runner = "workbench.testing:echo"

    @abstractmethod
    def make(self, options: ExecutorOptions) -> Executor:
        """Return a new executor."""

    def _job(self, tmp_path: Path, job_id: str, values: Values) -> Job:
        return Job(
            kind="fit",
            job_id=job_id,
            dataset=tmp_path,
            plan=tmp_path,
            family=FamilyRef(name="echo", factory="echo:echo", code="0"),
            metric=MetricRef(name="rmse"),
            values=values,
        )

    def _run(self, executor: Executor, job: Job, seconds: float = 60.0) -> list[WorkerEvent]:
        executor.submit(job)
        events: list[WorkerEvent] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            events += executor.events(timeout=0.2)
            if events and not isinstance(events[-1], (Began, Reported)):
                return events
        raise AssertionError(f"the job did not end within {seconds} s: {events}")

    def test_every_job_ends_with_one_event(self, tmp_path: Path) -> None:
        """Reports come in order, and the last event is the job's own."""
        executor = self.make(ExecutorOptions(runner=self.runner, logs=tmp_path))
        try:
            for job_id in ("1", "2"):
                *reports, last = self._run(executor, self._job(tmp_path, job_id, {"epochs": 3}))
                epochs = [report.epoch for report in reports if isinstance(report, Reported)]
                if epochs != [1, 2, 3] or not isinstance(last, Finished) or last.job_id != job_id:
                    raise AssertionError(f"unexpected events: {reports} {last}")
        finally:
            executor.close()

    def test_a_failing_job_leaves_the_executor_usable(self, tmp_path: Path) -> None:
        """An exception in a job is its Failed event, and the next job runs."""
        executor = self.make(ExecutorOptions(runner=self.runner, logs=tmp_path))
        try:
            failed = self._run(executor, self._job(tmp_path, "1", {"fail": True}))[-1]
            after = self._run(executor, self._job(tmp_path, "2", {"epochs": 1}))[-1]
            if failed.event != "failed" or after.event != "finished":
                raise AssertionError(f"unexpected events: {failed} {after}")
        finally:
            executor.close()

    def test_as_many_jobs_run_at_once_as_it_says(self, tmp_path: Path) -> None:
        """Each job of a full executor ends with exactly one event, and nothing is under way then."""
        executor = self.make(ExecutorOptions(runner=self.runner, logs=tmp_path, workers=2))
        jobs = [self._job(tmp_path, str(number), {"epochs": 2}) for number in range(executor.capacity)]
        try:
            for job in jobs:
                executor.submit(job)
            ends: list[str] = []
            limit = time.monotonic() + 60.0
            while len(ends) < len(jobs) and time.monotonic() < limit:
                ends += [e.job_id for e in executor.events(timeout=0.2) if not isinstance(e, (Began, Reported))]
            ends += [e.job_id for e in executor.events(timeout=0.0)]
            if sorted(ends) != [job.job_id for job in jobs] or executor.busy or not executor.devices:
                raise AssertionError(f"unexpected ends of {len(jobs)} jobs: {ends}")
        finally:
            executor.close()


def echo(job: Job, report: Report) -> TrialResult:
    """A runner that needs no model: reports as many epochs as it is told, or fails when it is told to."""
    if job.values.get("fail"):
        raise ValueError("told to fail")
    for epoch in range(1, int(job.values.get("epochs", 1)) + 1):
        if report(Reported(job_id=job.job_id, split=0, epoch=epoch, value=1.0 / epoch)):
            raise TrialStopped
        time.sleep(float(job.values.get("sleep", 0.0)))
    return TrialResult(score=0.0, score_se=0.0, scores=(0.0,), values=job.values)
