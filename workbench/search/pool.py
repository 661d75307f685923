"""The last part of a budget: families share it, and get their trials of it by what they add to the blend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.search.lane import Lane
from workbench.seeds import derive_seed
from workbench.store.ledger import Ledger, Shared

EXPLORATION = 0.2
"""This share of the pool goes to all families alike; one that adds nothing gets its part of it alone."""

Merits = Callable[[], Mapping[str, float]]
"""Returns what families add, not below 0; those of which nothing is known are absent."""


@dataclass
class Pool:
    """Draws families for the trials that they share.

    The family of the next trial is random: with the probability `EXPLORATION` any of those that are open, else in
    proportion to its merit. That depends on the seed, on how many trials the families have and on what they add, so a
    search that goes on draws what an uninterrupted one would (with one worker).

    Attributes:
        ledger: Knows how many trials there are, whoever began them.
        shared: Studies and their trials in all.
        seed: Seed of the draws.
        merits: Asked before each draw.
        share: Of the time, where there is a deadline: then the pool is open, whatever is left of trials.
        say: Told what the odds are when the pool opens.
    """

    ledger: Ledger
    shared: Shared
    seed: int
    merits: Merits
    share: float
    say: Callable[[str], None]
    drawn: Counter[str] = field(default_factory=Counter)
    """Trials of the pool that this driver began, by family."""
    _open: bool = False

    def draw(self, lanes: Sequence[Lane], *, timed: bool = False) -> Lane:
        """Return the family whose trial is next, one of ``lanes``; ``timed``: time ends it, and not trials."""
        begun = self.ledger.searched(*self.shared.studies)
        if begun >= self.shared.total:
            return lanes[0]  # a lost trial of its own may be queued yet; else it has nothing to claim
        odds = chances([lane.name for lane in lanes], self.merits())
        if not self._open:
            self._open = True
            self._tell(None if timed else self.shared.total - begun, odds)
        place = np.random.default_rng(derive_seed(self.seed, "listen", begun)).random()
        return lanes[min(int(np.searchsorted(np.cumsum(list(odds.values())), place)), len(lanes) - 1)]

    @property
    def summary(self) -> str:
        """Who got this driver's trials of the pool; empty if there were none."""
        if not self.drawn:
            return ""
        number = self.drawn.total()
        last = f"the last {number} trials" if number > 1 else "the last trial"
        families = ", ".join(f"{name} {count}" for name, count in self.drawn.most_common())
        return f"{last} went to families by what they add to the blend: {families}"

    def _tell(self, left: int | None, odds: Mapping[str, float]) -> None:
        shown = ", ".join(f"{name} {100 * part:.0f} %" for name, part in sorted(odds.items(), key=lambda o: -o[1]))
        last = "the last trial goes" if left == 1 else f"the last {left} trials go"
        last = "the last part of the time goes" if left is None else last
        self.say(f"{last} to families by what they add to the blend; the odds are now {shown}")


def chances(names: Sequence[str], merits: Mapping[str, float]) -> dict[str, float]:
    """Return each family's probability, 1 in all; one of which nothing is known counts as the best one."""
    best = max((merits[name] for name in names if name in merits), default=0.0)
    weights = [merits.get(name, best) for name in names]
    total, alike = sum(weights), 1.0 / len(names)
    return {
        name: alike if total <= 0.0 else EXPLORATION * alike + (1.0 - EXPLORATION) * weight / total
        for name, weight in zip(names, weights, strict=True)
    }
