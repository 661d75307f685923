"""Which members a method is given. Fitted in-fold with the rest, so that the nested score knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from workbench.ensembles.members import Members
from workbench.ensembles.threads import over_blocks
from workbench.errors import ConfigError, nearest
from workbench.metrics import Array

Selection = Literal["best", "all", "forward", "uncorrelated"]
"""``best``: the best of each family (``per_family``); ``all``: every complete trial; ``forward``: of the best, those
that improve the plain mean one after another; ``uncorrelated``: of the best, none that says what a better one says."""

SELECTIONS: tuple[str, ...] = get_args(Selection)
BLOCK = 1 << 18
"""Numbers of a block of rows."""

CORRELATED = 0.995
"""Of two members whose predictions correlate so much, the worse one is left out."""


def select(members: Members, how: Selection, correlated: float = CORRELATED) -> list[int]:
    """Return the places of the members that are blended, rising; at least one.

    Raises:
        ConfigError: there is no such way.
    """
    if how not in SELECTIONS:
        raise ConfigError(f"ensemble.members: '{how}' is none of {', '.join(SELECTIONS)}.{nearest(how, SELECTIONS)}")
    if len(members) < 2 or how in ("best", "all"):
        return list(range(len(members)))
    losses = np.array([members.metric.loss(score) for score in members.singles()])
    order = [int(i) for i in np.argsort(losses, kind="stable")]
    return sorted(_forward(members, order) if how == "forward" else _uncorrelated(members, order, correlated))


def _forward(members: Members, order: list[int]) -> list[int]:
    """Add the member that improves the plain mean most, as long as one does."""
    chosen = [order[0]]
    total = members.predictions[order[0]].astype(np.float64)
    best = members.metric.loss(members.score(total))
    while left := [i for i in order if i not in chosen]:
        losses = [
            members.metric.loss(members.score((total + members.predictions[i]) / (len(chosen) + 1))) for i in left
        ]
        place = int(np.argmin(losses))
        if not losses[place] < best:
            break
        best, total = losses[place], total + members.predictions[left[place]]
        chosen.append(left[place])
    return chosen


def _uncorrelated(members: Members, order: list[int], most: float) -> list[int]:
    table = correlations(members.predictions)
    kept: list[int] = []
    for i in order:
        if all(table[i, j] < most for j in kept):
            kept.append(i)
    return kept


def correlations(predictions: Array, places: Sequence[int] | None = None) -> Array:
    """Return the correlations of predictions ``(members, rows, outputs)`` with each other; of a constant 0.

    ``(members, members)``, or those at ``places`` alone, in this order. Predictions are looked at block by block.
    """
    chosen = list(range(len(predictions)) if places is None else places)
    count, (rows, outputs) = len(chosen), predictions.shape[1:]
    means = np.array([predictions[place].mean(dtype=np.float64) for place in chosen])[:, None]

    def products(block: slice) -> Array:
        part = predictions[chosen, block].reshape(count, -1).astype(np.float64) - means
        found: Array = part @ part.T
        return found

    width = max(256, BLOCK // (count * outputs))
    table: Array = np.sum(list(over_blocks(products, slice(0, rows), width)), axis=0)
    norms = np.sqrt(np.diagonal(table))
    table /= np.maximum(np.outer(norms, norms), np.finfo(float).tiny)
    np.fill_diagonal(table, 1.0)
    clipped: Array = np.clip(table, -1.0, 1.0)
    return clipped
