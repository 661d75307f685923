"""The contract of projections, and what they need of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from workbench.errors import StoreError
from workbench.store.event_log import Report
from workbench.store.events import Event, SweepStarted


class Journal(Protocol):
    """What projections read of a ledger. `workbench.store.ledger.Ledger` is one."""

    def events(self, after: int, limit: int = 1000) -> list[tuple[int, datetime, Event]]:
        """Return up to ``limit`` events behind position ``after``, in order."""

    def reports(self, attempt: int) -> list[Report]:
        """Return an attempt's epoch reports, by split and epoch."""

    def position(self, projection: str) -> int:
        """Return the position up to which a projection has applied events."""

    def advance(self, projection: str, position: int) -> None:
        """Note that a projection has applied everything up to ``position``."""


class Projection(Protocol):
    """Something derived from the ledger. ``name`` is the key of its position in the ledger."""

    @property
    def name(self) -> str:
        """The key of its position: one for each target, so that another target starts from event 0."""

    def apply(self, position: int, at: datetime, event: Event) -> None:
        """Apply an event. Idempotent: applying any prefix of the log again changes nothing."""


class Sweeps:
    """The ``sweep.started`` events by sweep; read from the journal when this process has not seen one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[int, SweepStarted] = {}
        self._read = 0

    def __getitem__(self, sweep: int) -> SweepStarted:
        """Return how a sweep began.

        Raises:
            StoreError: the journal has no such sweep.
        """
        while sweep not in self._known:
            page: Sequence[tuple[int, datetime, Event]] = self._journal.events(self._read, 1000)
            if not page:
                raise StoreError(f"the ledger has no start of sweep {sweep}; its later events cannot be shown")
            self._known |= {event.sweep: event for _, _, event in page if isinstance(event, SweepStarted)}
            self._read = page[-1][0]
        return self._known[sweep]
