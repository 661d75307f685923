"""Whose turn it is: one run at a time on an experiment, safe to call from cron.

The turn is a lock of the operating system on a file in the store, so it is free as soon as its holder ends, however it
ends. It guards runs from the command line on one machine and store; `workbench.run` takes none, as drivers can share a
ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

from workbench.errors import Busy, StoreError


def turn_file(store: Path, name: str) -> Path:
    """Return the file whose lock is an experiment's turn. It stays in the store; what counts is the lock on it."""
    return store / f"turn-{name}.lock"


@contextlib.contextmanager
def take_turn(store: Path, name: str, busy: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold an experiment's turn on a store while the block lasts.

    Args:
        store: the experiment's store, which others may share.
        name: the experiment's name, which is a part of file names.
        busy: what to do while somebody else has the turn: ``leave``, ``wait`` for it, or ``join`` in without it.
        say: is told, once, that it waits or joins.

    Raises:
        Busy: somebody else has the turn, and ``busy`` is ``leave``.
        StoreError: the file cannot be locked.
    """
    with _opened(turn_file(store, name)) as file:
        if not _locked(file, wait=False):
            holder = f"another run ({_holder(file)}) is at work on '{name}'"
            if busy == "leave":
                raise Busy(f"{holder}; wait for it with --busy wait, or share its work with --busy join")
            say(f"{holder}; waiting for it …" if busy == "wait" else f"{holder}; joining it")
            if busy == "wait":
                _locked(file, wait=True)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"the store {path.parent} cannot be written: {error.strerror}") from error
    with file:
        yield file


def _locked(file: IO[str], *, wait: bool) -> bool:
    """Lock the file, and write into it whose it is; ``False`` if somebody else has it and is not waited for."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(f"{file.name} cannot be locked: {error.strerror}; --busy join runs without a lock") from error
    file.truncate(0)
    file.write(f"{os.getpid()} {datetime.now().astimezone():%Y-%m-%dT%H:%M:%S}\n")
    file.flush()
    return True


def _holder(file: IO[str]) -> str:
    """Return ``process 123, since 02:00:13``, with the date if that is not today's."""
    file.seek(0)
    found = re.fullmatch(r"(\d+) (\S+)T(\S+)\n", file.read())
    if found is None:  # it has just taken the turn, and not written yet
        return "its process is not known yet"
    pid, day, time = found.groups()
    today = f"{datetime.now().astimezone():%Y-%m-%d}"
    return f"process {pid}, since {time}" if day == today else f"process {pid}, since {day} {time}"
