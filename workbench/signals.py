"""Ctrl-C and SIGTERM: heard at once, acted upon where nothing is left half done.

Python runs a signal's handler between any two instructions of the main thread, and what the handler raises lands there:
in the midst of a transaction, say, whose connection then keeps the ledger locked against its own process. So handlers
do not raise while the main thread is in a block that is `deferred`: a signal waits for the block's end, or for a
`check` in it. Everywhere else it is acted upon at once, by the handler that was there before.

In threads other than the main one, where no signal ever lands, and where nobody is `listening`, all this does nothing.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from workbench.errors import Terminated

Handler = Callable[[int, FrameType | None], Any]

NUMBERS: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT)

ECHO_SECONDS = 0.3
"""Signals so close to each other are one wish: ``timeout`` sends SIGTERM to a process and then to its group."""

PATIENCE_SECONDS = 3.0
"""Who asks again after a signal has waited for so long is obeyed at once, wherever that lands."""


class _Listener:
    """The signals of this process: who acts upon them, whether they wait, and which one does."""

    def __init__(self) -> None:
        """Nobody listens."""
        self.begin({})

    def begin(self, handlers: Mapping[int, Handler]) -> None:
        """Listen for those who act upon signals."""
        self.handlers = handlers
        self.deferred = False
        self.waiting: int | None = None
        self.since = self.heard = -math.inf

    def end(self) -> None:
        """Listen no more, and act upon what waits."""
        number, handlers = self.waiting, self.handlers
        self.begin({})
        if number is not None:
            handlers[number](number, None)

    @property
    def here(self) -> bool:
        """Say whether somebody listens, and signals land in this thread."""
        return bool(self.handlers) and threading.current_thread() is threading.main_thread()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Act upon a signal now, or let it wait."""
        now = time.monotonic()
        if now - self.heard < ECHO_SECONDS:
            return
        self.heard = now
        if self.waiting is None:
            self.since = now
        if self.deferred and now - self.since < PATIENCE_SECONDS:
            self.waiting = self.waiting or number
        else:
            self.act(number, frame)

    def act(self, number: int, frame: FrameType | None = None) -> None:
        """Do what the handler does that was there before; most of them raise."""
        self.waiting = None
        self.handlers[number](number, frame)


_listener = _Listener()


@contextmanager
def listening(*, terminate: bool = False) -> Iterator[None]:
    """Hear Ctrl-C and SIGTERM while the block lasts, and put back the handlers that were there.

    A signal that is ignored, or that has no handler of Python's and so ends the process at once, is left as it is; with
    ``terminate`` SIGTERM then raises `Terminated`. Inside of such a block another one does nothing.
    """
    if _listener.handlers or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    found: dict[int, Handler] = {number: handler for number, handler in before.items() if callable(handler)}
    if terminate and before[signal.SIGTERM] is signal.SIG_DFL:
        found[signal.SIGTERM] = _terminate
    _listener.begin(found)
    try:
        for number in found:
            signal.signal(number, _listener.hear)
        yield
    finally:
        _listener.deferred = True  # between the two nothing may be raised, which would leave one of ours behind
        try:
            for number in found:
                signal.signal(number, before[number])
        finally:
            _listener.end()


@contextmanager
def deferred() -> Iterator[None]:
    """Let signals wait while the block lasts; one that came is acted upon at the end of the outermost such block.

    It is dropped where a `KeyboardInterrupt` leaves the block: that is what it asked for.
    """
    if _listener.deferred or not _listener.here:
        yield
        return
    _listener.deferred = True
    try:
        yield
    except KeyboardInterrupt:
        _listener.waiting = None
        raise
    finally:
        _listener.deferred = False
        check()


@contextmanager
def at_once() -> Iterator[None]:
    """Let signals act at once in a part of a `deferred` block that leaves nothing half done, such as a long wait."""
    if not (_listener.deferred and _listener.here):
        yield
        return
    try:
        _listener.deferred = False
        check()
        yield
    finally:
        _listener.deferred = True


def check() -> None:
    """Act upon a signal that waits, if there is one: here nothing is half done."""
    if _listener.waiting is not None and _listener.here:
        _listener.act(_listener.waiting)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
