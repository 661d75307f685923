"""Cheap partial trials first: which of them are worth a whole one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.store.ledger import Screened
from workbench.types import Direction, Screen, as_loss


@dataclass(frozen=True)
class Screening:
    """Cheap partial trials first."""

    part: Screen
    promote: int
    """So many of the best become whole trials."""


def promotable(known: Iterable[Screened], direction: Direction, promote: int) -> list[int]:
    """Return the ids of the trials that are to be promoted still, the best first.

    Of all that were ever screened the best ``promote`` become whole trials, whoever promotes them and in however many
    runs: drivers that share a ledger agree, and a better one that comes later is promoted too.
    """
    scored = [(as_loss(direction, trial.score), trial) for trial in known if trial.score is not None]
    best = sorted(scored, key=lambda pair: (pair[0], pair[1].id))[:promote]
    return [trial.id for _, trial in best if trial.state == "screened"]
