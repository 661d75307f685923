"""What each family adds to the blend while a search goes on: by this the last part of its budget is given out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from workbench.ensembles.contributions import Group, contributions
from workbench.ensembles.members import Candidate, gather, joined
from workbench.errors import StoreError, WorkbenchError
from workbench.metrics import Array
from workbench.seeds import derive_seed
from workbench.store.ledger import Study, Trial
from workbench.types import BASE_FAMILY
from workbench.workspace import Workspace

MEMBERS = 2
"""So many of each family's best complete trials are blended."""
EARLIER = 2.0 / 3.0
"""A family's gain has grown where it is larger than that of so much of its complete trials, the first ones."""
ROWS, LEAST = 10_000, 2_000
"""About so many validated rows are looked at, of K classes a K-th, at least `LEAST`; they are drawn once. Fitting then
takes a fraction of a second."""


@dataclass
class Listener:
    """Says what families add to the blend; each call looks into the ledger, and fits anew if a trial has completed.

    ``say`` is told once if that fails: a search goes on without.
    """

    workspace: Workspace
    say: Callable[[str], None]
    _complete: int = -1
    _merits: dict[str, float] = field(default_factory=dict)
    _read: dict[str, Array | None] = field(default_factory=dict)
    """Sampled out-of-fold predictions by fit key; ``None`` of one that cannot be read."""
    _failed: bool = False

    def __call__(self) -> dict[str, float]:
        """Return each family's merit: what it adds to the blend, and once more what its last trials added.

        That is in units of the metric's loss, not below 0. Families without a complete trial are absent.
        """
        try:
            complete = sum(self.workspace.ledger.counts(study.id).get("complete", 0) for study in self._studies)
            if complete != self._complete:
                self._complete, self._merits = complete, self._fitted()
        except (WorkbenchError, ArithmeticError, ValueError) as error:
            self._merits = {}
            if not self._failed:
                self._failed = True
                self.say(f"what families add to the blend is not known ({error}); all get the same share")
        return self._merits

    @cached_property
    def _studies(self) -> list[Study]:
        own = [study for study in self.workspace.studies if study.family != BASE_FAMILY]
        return [*own, *self.workspace.guests]

    @cached_property
    def _validated(self) -> list[Array]:
        """Places, among each split's validation rows, of those that are looked at."""
        plan = self.workspace.plan
        rows = [plan.validate(split) for split in range(plan.splits)]
        wanted = max(LEAST, ROWS // max(1, self.workspace.dataset.schema.outputs))
        share = min(1.0, wanted / max(1, sum(map(len, rows))))
        generator = np.random.default_rng(derive_seed(self.workspace.ground.seed, "listening"))
        drawn = generator.random(plan.rows) < share
        return [np.flatnonzero(drawn[part]) for part in rows]

    def _fitted(self) -> dict[str, float]:
        chosen: dict[str, Candidate] = {}
        groups: dict[str, tuple[list[str], list[str]]] = {}
        for study in self._studies:
            complete = [t for t in self.workspace.ledger.trials(study.id) if t.result is not None]
            parts = complete, complete[: int(EARLIER * len(complete))]
            found = [self._best(part) for part in parts]
            chosen |= {candidate.fit_key: candidate for part in found for candidate in part}
            groups[study.family] = ([c.fit_key for c in found[0]], [c.fit_key for c in found[1]])
        self._read = {key: kept for key, kept in self._read.items() if key in chosen or kept is None}
        places = {key: place for place, key in enumerate(chosen)}
        known = {name: Group(*(tuple(places[key] for key in keys) for keys in group)) for name, group in groups.items()}
        if sum(bool(group.now) for group in known.values()) < 2:
            return {}
        workspace, plan = self.workspace, self.workspace.plan
        members = gather(
            list(chosen.values()),
            lambda key: kept if (kept := self._read[key]) is not None else [],
            validate=[plan.validate(split)[part] for split, part in enumerate(self._validated)],
            y=workspace.dataset.y,
            weight=workspace.dataset.weight,
            metric=workspace.metric,
            plan_key=plan.key,
            classification=workspace.dataset.schema.task != "regression",
        )
        return {name: found.gain + found.growth for name, found in contributions(members, known).items()}

    def _best(self, trials: Sequence[Trial]) -> list[Candidate]:
        """Return the best trials that can be read, best first, equal fits once."""
        loss = self.workspace.metric.loss
        scored = [(loss(t.result.score), t.number, t) for t in trials if t.result and math.isfinite(t.result.score)]
        found: dict[str, Candidate] = {}
        for _, _, trial in sorted(scored, key=lambda each: each[:2]):
            candidate = self._candidate(trial)
            if self._readable(candidate):
                found.setdefault(candidate.fit_key, candidate)
            if len(found) == MEMBERS:
                break
        return list(found.values())

    def _candidate(self, trial: Trial) -> Candidate:
        if trial.result is None:
            raise ValueError(f"{trial.name} is {trial.state}, not complete")
        result = trial.result
        return Candidate(
            *(trial.family, trial.number, result.fit_key, self.workspace.plan.key), result.score, result.score_se
        )

    def _readable(self, candidate: Candidate) -> bool:
        key, plan = candidate.fit_key, self.workspace.plan
        if key not in self._read:
            try:
                parts = self.workspace.vault.oof(key)
                joined(candidate, parts, [plan.validate(split) for split in range(plan.splits)])
                sampled = [part[places] for part, places in zip(parts, self._validated, strict=True)]
                self._read[key] = np.concatenate(sampled).astype(np.float64)
            except StoreError:
                self._read[key] = None
        return self._read[key] is not None
