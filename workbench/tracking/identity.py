"""What tells one ledger's runs from another's on a shared tracking server."""

from __future__ import annotations

from workbench.errors import StoreError
from workbench.tracking.projection import Journal
from workbench.types import fingerprint


def journal_key(journal: Journal) -> str:
    """Return a key of the journal: a fingerprint of its first event and the microsecond in which it was written."""
    first = journal.events(0, 1)
    if not first:
        raise StoreError("an empty ledger has no identity yet; append an event first")
    position, at, event = first[0]
    return fingerprint(position, at.isoformat(), event.model_dump(mode="json"))[:12]
