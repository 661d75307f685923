"""One target of the projector: a projection, its failures, and when to try it again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from workbench.store.events import Event
from workbench.tracking.projection import Journal, Projection

LOG = logging.getLogger("workbench.projector")
BACK_OFF = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds to wait after the first, second … failure in a row."""
PAGE = 100
"""Events that are read at once."""
CHANCES = 3
"""An event that a target refuses so often for its content is passed over, so that the events behind it are shown."""

Progress = Literal["done", "more", "failing"]


class Target:
    """A projection that is opened when there is something to show."""

    def __init__(self, name: str, open_projection: Callable[[], Projection]) -> None:
        """Keep the position ``name``; ``open_projection`` may fail, and is called again after a while."""
        self.name = name
        self.failures = 0
        self._open = open_projection
        self._projection: Projection | None = None
        self._next_try = 0.0
        self._told = False

    def try_now(self) -> None:
        """Forget earlier failures: the next look is not put off."""
        self.failures, self._next_try = 0, 0.0

    def catch_up(self, journal: Journal) -> Progress:
        """Show a page of events. After an error the position stays where it is: nothing is lost."""
        if time.monotonic() < self._next_try:
            return "failing"
        try:
            page = journal.events(journal.position(self.name), PAGE)
            for position, at, event in page:
                self._show(position, at, event)
                journal.advance(self.name, position)
                self._succeeded()
        except Exception as error:  # whatever a server, a disk or a library raises
            self._failed(error)
            return "failing"
        return "more" if len(page) == PAGE else "done"

    def _show(self, position: int, at: datetime, event: Event) -> None:
        if self._projection is None:
            self._projection = self._open()
        try:
            self._projection.apply(position, at, event)
        except Exception as error:
            if not _refused(error) or self.failures + 1 < CHANCES:
                raise
            LOG.exception("%s: event %d (%s) cannot be shown, and is passed over", self.name, position, event.kind)

    def _succeeded(self) -> None:
        if self._told:
            LOG.warning("%s: works again", self.name)
        self.failures, self._told = 0, False

    def _failed(self, error: Exception) -> None:
        self._next_try = time.monotonic() + BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
        self.failures += 1
        if not self._told:
            self._told = True
            traceback = error if _refused(error) else None
            message = "%s: trying again, nothing is lost: %s: %s"
            LOG.error(message, self.name, type(error).__name__, error, exc_info=traceback)


def _refused(error: Exception) -> bool:
    """Say whether the event itself is at fault: trying again would give the same error for ever."""
    if isinstance(error, (OSError, json.JSONDecodeError)):  # requests' errors are OSErrors
        return False
    code = getattr(error, "error_code", None)  # of MLflow's exceptions
    return isinstance(error, (LookupError, TypeError, ValueError)) or code == "INVALID_PARAMETER_VALUE"
