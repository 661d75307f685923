"""Ctrl-C and SIGTERM wait where they must, and act everywhere else."""

import signal
import threading
import time

import pytest

from workbench import signals
from workbench.errors import Terminated


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def usual():
    """Python's own handler of Ctrl-C, as in every new process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_signal_waits_for_the_end_of_the_outermost_block():
    done = []
    with signals.listening():
        with pytest.raises(KeyboardInterrupt), signals.deferred():  # noqa: PT012
            with signals.deferred():
                ctrl_c()
            done.append("inner")
        assert done == ["inner"]
        signals.check()


def test_a_signal_acts_at_once_outside_of_blocks_and_in_waits():
    with signals.listening():
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        time.sleep(signals.ECHO_SECONDS)
        with signals.deferred():
            with pytest.raises(KeyboardInterrupt), signals.at_once():
                ctrl_c()
            ctrl_c()  # the same key, held down
            signals.check()
    assert not signals._listener.handlers


def test_a_wait_does_not_begin_when_a_signal_has_come():
    with signals.listening(), signals.deferred():
        ctrl_c()
        with pytest.raises(KeyboardInterrupt), signals.at_once():
            pytest.fail("it waits")


def test_a_second_signal_is_dropped_where_the_first_leaves_and_acts_where_nothing_came_of_it(monkeypatch):
    monkeypatch.setattr(signals, "ECHO_SECONDS", 0.0)
    with signals.listening():
        with pytest.raises(KeyboardInterrupt), signals.deferred():  # noqa: PT012
            ctrl_c()
            try:
                signals.check()
            finally:
                ctrl_c()
        signals.check()
        monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.05)
        with signals.deferred():
            ctrl_c()
            time.sleep(0.1)
            with pytest.raises(KeyboardInterrupt):
                ctrl_c()


def test_sigterm_raises_where_it_would_kill_and_a_handler_of_the_users_is_called_in_its_place():
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with signals.listening():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(Terminated), signals.listening(terminate=True), signals.listening():  # noqa: PT012
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")
    called = []
    signal.signal(signal.SIGTERM, lambda number, _frame: called.append(number))
    try:
        with signals.listening(terminate=True), signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            assert called == []
        assert called == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_in_other_threads_and_without_a_listener_nothing_is_deferred():
    with pytest.raises(KeyboardInterrupt), signals.deferred():
        ctrl_c()
    seen = []

    def work():
        with signals.listening(terminate=True), signals.deferred(), signals.at_once():
            seen.append((signals._listener.deferred, signal.getsignal(signal.SIGTERM)))
            signals.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.SIG_DFL)]
