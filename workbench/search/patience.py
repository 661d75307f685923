"""A search waits while a disk is full: nothing is lost, and it goes on by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from workbench import signals
from workbench.errors import StoreError
from workbench.store.disk import LITTLE_MB, free_mb, is_full

LOOK_SECONDS = 5.0
"""Between two looks at the disk."""
LONGEST_SECONDS = 300.0
"""Each pause that nothing came of is twice as long as the one before, up to this: a quota's end cannot be seen."""

T = TypeVar("T")


class Patience:
    """Knows whether a search is paused for want of space; ``store`` is the folder whose disk must not be full."""

    def __init__(self, store: Path | None, say: Callable[[str], None]) -> None:
        """Look at the disk of ``store``, if there is one; ``say`` is told when a pause begins and ends."""
        self._store, self._say = store, say
        self._looked = -math.inf
        self._wait = LOOK_SECONDS
        self._leaving = False
        self.paused = False

    def look(self) -> None:
        """Pause while the disk is nearly full, and go on when there is room."""
        if time.monotonic() - self._looked < (self._wait if self.paused else LOOK_SECONDS):
            return
        self._looked = time.monotonic()
        free = math.inf if self._store is None else free_mb(self._store)
        if free < LITTLE_MB:
            self._begin(f"{free:.0f} MiB are free in {self._store}, and {LITTLE_MB:.0f} are needed")
        elif self.paused:
            self.paused = False
            self._say("there is room on the disk again: going on")

    def pause(self, why: str) -> None:
        """Pause, as a write has failed for want of space."""
        if not self.paused:
            self._begin(why)
            self._looked = time.monotonic()
            self._wait = min(2.0 * self._wait, LONGEST_SECONDS)

    def relax(self) -> None:
        """Take note that something was written: the next pause is a short one."""
        self._wait = LOOK_SECONDS

    def leave(self) -> None:
        """Wait for nothing from now on: somebody has stopped the search."""
        self._leaving = True

    def write(self, write: Callable[[], T]) -> T:
        """Write to the ledger; while its disk is full, wait until there is room.

        Raises:
            StoreError: it cannot be written for another reason, or the search is being left.
        """
        while True:
            try:
                return write()
            except StoreError as error:
                if self._leaving or not is_full(error):
                    raise
                self.pause(str(error))
                with signals.at_once():
                    time.sleep(1.0)

    def _begin(self, why: str) -> None:
        if not self.paused:
            self.paused = True
            self._say(f"paused: {why}; free some space and the search goes on by itself")
