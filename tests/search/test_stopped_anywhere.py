"""A signal at any moment of a search: nothing is torn, nothing stays locked, every trial is given back."""

import contextlib
import signal
import sqlite3
import sys

import pytest

from workbench import signals

MOMENTS = 25
"""So many moments of a search of some 18,000 calls; raised at once, four signals of ten left the ledger locked."""


class Striking:
    """Sends Ctrl-C to this process at the n-th call of a function; only counts for ``None``."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, _frame, what, _about):
        self.calls += what == "call"
        if self.calls == self.at and what == "call":
            signal.raise_signal(signal.SIGINT)

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


@pytest.fixture(autouse=True)
def usual():
    """Python's own handler of Ctrl-C, as in every new process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def search(bench, at, trials=3):
    """Search some more trials, with a signal; return how many calls that took, and the exception."""
    lane = bench.lane(total=10_000)
    lane.total = lane.done + trials
    with Striking(at) as striking:
        try:
            bench.search(lane)
        except KeyboardInterrupt as error:
            return striking.calls, error
    return striking.calls, None


def test_ctrl_c_at_any_moment_of_a_search_leaves_the_ledger_free_and_nothing_running(bench):
    search(bench, None)  # imports
    calls, _ = search(bench, None)
    for moment in range(MOMENTS):
        with signals.listening():
            _, error = search(bench, int(0.9 * calls * moment / MOMENTS) + 1)
        assert error is not None
        # While somebody holds the traceback, as a debugger and a notebook do, what it hangs on to is not closed.
        with contextlib.closing(sqlite3.connect(bench.folder / "ledger.db", timeout=0.0)) as other:
            other.execute("BEGIN IMMEDIATE")
        assert "running" not in bench.ledger.counts(bench.lane().study.id)
    _, error = search(bench, None)
    assert error is None
    assert bench.ledger.counts(bench.lane().study.id).keys() == {"complete"}
