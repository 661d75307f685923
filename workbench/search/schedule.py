"""Which family is next, and how long there is: what a driver decides by trials, hours and a deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.search.lane import Lane
from workbench.search.pool import Pool
from workbench.search.running import Running

TRAINING_SHARE = 0.8
"""Of the time up to the deadline; the rest is for predicting and storing."""
SCREENING_SHARE = 0.5
"""Of the time up to the deadline, or of a family's hours; then the best of its screenings are promoted."""


@dataclass
class Schedule:
    """The families of a search, what runs of them now, and ``deadline``, a moment of ``time.monotonic()``."""

    lanes: Sequence[Lane]
    running: Mapping[str, Running]
    deadline: float | None = None
    pool: Pool | None = None
    """Of the trials that families share."""
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return time.monotonic() - self._began

    @property
    def late(self) -> bool:
        """Whether the deadline has passed; it does not count until a trial is complete: nothing could be delivered."""
        return self.deadline is not None and time.monotonic() > self.deadline and self._deliverable

    @property
    def training_seconds(self) -> float | None:
        """What a trial that starts now has for its training: better ended early than stopped without a result."""
        return None if self.deadline is None else max(1.0, TRAINING_SHARE * (self.deadline - time.monotonic()))

    def next_lane(self) -> Lane | None:
        """Return the open family that is furthest behind: in time where time is what is shared, else in trials.

        Families that have had their own part wait for the others, and then draw; in the last part of the time all do.
        """
        lanes = [lane for lane in self.lanes if lane.open and self._used(lane) < 1.0 and self._fits(lane)]
        listening = self._listening
        if listening:
            for lane in lanes:
                lane.begin_drawing()
        own = [lane for lane in lanes if not lane.drawing]
        first = self._furthest_behind(lanes if listening or not own else own)
        if self.pool is None or first is None or not first.drawing:
            return first
        return self.pool.draw([lane for lane in lanes if lane.drawing], timed=listening)

    def _furthest_behind(self, lanes: Sequence[Lane]) -> Lane | None:
        if self.deadline is not None:
            return min(lanes, key=lambda lane: (lane.seconds + self._under_way(lane), lane.share), default=None)
        return min(lanes, key=lambda lane: lane.share, default=None)

    @property
    def _listening(self) -> bool:
        """Whether the time of the pool has come."""
        if self.pool is None or self.deadline is None:
            return False
        return self.seconds > (1.0 - self.pool.share) * (self.deadline - self._began)

    def hurried(self, lane: Lane) -> bool:
        """Say whether so much of the time is over that a family had better promote what it has screened."""
        end = self.deadline
        late = end is not None and self.seconds > SCREENING_SHARE * (end - self._began)
        return late or self._used(lane) > SCREENING_SHARE

    def seconds_left(self, workers: int) -> float | None:
        """Estimate from each family's mean; the deadline bounds it."""
        going = [lane for lane in self.lanes if not lane.exhausted and not lane.failing]
        undrawn = self._undrawn if any(lane.shared for lane in going) else 0
        ahead = [lane for lane in going if lane.done < lane.total or (undrawn and lane.shared)]
        estimates = [lane.mean_seconds for lane in ahead]
        known = [seconds for seconds in estimates if seconds is not None]
        until = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if estimates and not known:
            return until
        guess = sum(known) / len(known) if known else 0.0
        work = sum((lane.mean_seconds or guess) * (lane.total - lane.done) for lane in ahead)
        left = (work + guess * undrawn) / workers
        return left if until is None else min(left, until)

    @property
    def _undrawn(self) -> int:
        """How many trials of the pool nobody has drawn, as far as this driver knows."""
        parts = sum(lane.total for lane in self.lanes if lane.shared is not None)
        return 0 if self.pool is None else max(0, self.pool.shared.total - parts)

    @property
    def _deliverable(self) -> bool:
        return any(lane.best is not None for lane in self.lanes)

    def _fits(self, lane: Lane) -> bool:
        """Say whether a trial of this family can be expected to end before the deadline."""
        if self.deadline is None or not self._deliverable:
            return True
        return time.monotonic() + (lane.mean_seconds or 0.0) < self.deadline

    def _under_way(self, lane: Lane) -> float:
        return sum(running.seconds for running in self.running.values() if running.lane is lane)

    def _used(self, lane: Lane) -> float:
        return lane.used(self._under_way(lane))
