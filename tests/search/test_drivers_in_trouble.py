"""What a driver does in less usual cases: full disks, twins, attempts that go on, shared and hurried screenings."""

import errno
import threading
import time

import pytest

from tests.search.bench import Telling
from tests.search.test_lanes import SCREENING, Repeating
from workbench.errors import StoreError
from workbench.execution.local import LocalExecutor
from workbench.search import patience
from workbench.search.pruning import NoPruner
from workbench.search.random_engine import RandomEngine
from workbench.search.screening import Screening


class Full:
    """A ledger whose disk is full from some moment on."""

    def __init__(self, ledger):
        self._ledger, self.full = ledger, False

    def __getattr__(self, name):
        found = getattr(self._ledger, name)
        return found if name in ("trials", "reports", "counts") or not callable(found) else self._guarded(found)

    def _guarded(self, write):
        def guarded(*args, **options):
            if self.full:
                raise StoreError("the ledger cannot be written") from OSError(errno.ENOSPC, "No space left on device")
            return write(*args, **options)

        return guarded


class Interrupted(Telling):
    """Fills the disk at the first trial's end; then somebody loses patience."""

    def __init__(self, ledger):
        super().__init__()
        self.ledger = ledger

    def trial(self, news):  # noqa: ARG002
        self.ledger.full = True

    def notice(self, text):
        super().notice(text)
        if "paused" in text:
            raise KeyboardInterrupt


def test_ctrl_c_ends_a_search_whose_disk_is_full(bench):
    lane, real = bench.lane(total=6, fixed={"sleep": 0.01}), bench.ledger
    bench.ledger = Full(real)
    observer = Interrupted(bench.ledger)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.search(lane, executor=LocalExecutor, workers=2, observer=observer)
    assert time.monotonic() - began < 25.0
    bench.ledger = real
    bench.ledger.give_back(bench.sweep)
    assert [t.state for t in bench.search(bench.lane(total=6, fixed={"sleep": 0.01}))] == ["complete"] * 6


def test_a_pause_without_a_store_ends_by_itself_and_the_next_is_longer(monkeypatch):
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.01)
    said = []
    waiting = patience.Patience(None, said.append)
    for _ in range(2):
        waiting.pause("No space left on device")
        while waiting.paused:
            waiting.look()
    assert [text.partition(":")[0] for text in said] == ["paused", "there is room on the disk again"] * 2
    assert waiting._wait > 2 * patience.LOOK_SECONDS
    waiting.relax()
    assert waiting._wait == patience.LOOK_SECONDS


def test_equal_configurations_that_would_run_at_once_are_trained_once(bench):
    lane = bench.lane(total=6, engine=Repeating, fixed={"sleep": 0.02})
    trials = bench.search(lane, executor=LocalExecutor, workers=3)
    assert [t.state for t in trials] == ["complete"] * 6
    assert len(bench.executions()) == 2
    assert lane.running == 0


class Judge(NoPruner):
    """Remembers what it is told of a trial since that began anew."""

    def __init__(self):
        self.told = []

    def report(self, number, split, epoch, value, together=1):  # noqa: ARG002
        self.told.append((split, epoch))
        return ""

    def forget(self, number):  # noqa: ARG002
        self.told.clear()


def test_what_was_reported_before_a_checkpoint_is_the_next_attempts_too(bench):
    judge = Judge()
    lane = bench.lane(total=1, fixed={"fault": "kill late"}, pruner=judge)
    (trial,) = bench.search(lane, executor=LocalExecutor)
    every = [(split, epoch) for split in range(3) for epoch in range(1, 5)]
    assert trial.state == "complete"
    assert judge.told == every
    assert [(r.split, r.epoch) for r in bench.ledger.reports(trial.attempt)] == every


def test_drivers_that_share_a_screened_search_promote_the_best_of_all(bench):
    other = bench.lane(total=8, screening=SCREENING)
    lane = bench.lane(total=8, screening=SCREENING)
    held = [bench.ledger.claim(lane.study, bench.sweep, 8, "screen") for _ in range(2)]
    bench.search(other)
    assert not [t for t in bench.ledger.trials(lane.study.id) if t.stage == "promoted"], "screenings are under way"
    for claim in held:
        bench.ledger.lose(claim, None)
    trials = bench.search(lane, executor=LocalExecutor, workers=2)
    best = sorted(trials, key=lambda t: t.screening.score)[:2]
    assert {t.number for t in trials if t.stage == "promoted"} == {t.number for t in best}


def test_a_promoted_trial_that_was_queued_counts_and_its_screening_is_known(bench):
    bench.search(bench.lane(total=5, screening=Screening(SCREENING.part, promote=1)))
    lane = bench.lane(total=5, screening=SCREENING)
    left = [t for t in bench.ledger.trials(lane.study.id) if t.state == "screened"]
    second = min(left, key=lambda t: t.screening.score)
    bench.ledger.lose(bench.ledger.promote(lane.study, bench.sweep, second.id), None)
    lane = bench.lane(total=5, screening=SCREENING)
    assert (lane.claimed, lane.done) == (5, 5)
    trials = bench.search(lane)
    assert sorted(t.state for t in trials) == ["complete"] * 2 + ["screened"] * 3
    assert lane.progress() == bench.lane(total=5, screening=SCREENING).progress()


def test_a_deadline_leaves_time_for_the_best_of_the_screenings(bench):
    lane = bench.lane(total=10_000, fixed={"sleep": 0.02}, screening=SCREENING)
    began = time.monotonic()
    trials = bench.search(lane, executor=LocalExecutor, seconds=4.0)
    assert time.monotonic() - began < 12.0
    assert [t.state for t in trials if t.stage == "promoted"].count("complete") >= 2
    assert len(trials) < 1000


def test_hours_leave_something_for_the_best_of_the_screenings(bench):
    lane = bench.lane(total=10_000, fixed={"sleep": 0.005}, screening=SCREENING, seconds_allowed=0.6)
    trials = bench.search(lane)
    assert [t.state for t in trials if t.stage == "promoted"].count("complete") >= 2


def test_an_engine_that_raises_leaves_nothing_running(bench):
    class Raising(RandomEngine):
        def ask(self, number, space):  # noqa: ARG002
            raise ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        bench.search(bench.lane(total=3, engine=Raising))
    assert bench.ledger.counts(bench.lane().study.id) == {"complete": 1, "queued": 1}
    assert threading.active_count() < 10
    assert len(bench.search(bench.lane(total=3))) == 3


def test_checkpoints_of_a_failed_trial_are_removed(bench):
    lane = bench.lane(total=1, fixed={"fault": "nonfinite"})
    key = lane.ground.fit_key(lane.template.family, lane.space.defaults())
    folder = bench.vault.root / "checkpoints" / key
    folder.mkdir(parents=True)
    bench.search(lane)
    assert not folder.exists()
