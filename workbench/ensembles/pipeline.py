"""All that is fitted on out-of-fold predictions, in one: members, weights, calibration, decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from workbench.blending.calibration import Calibration
from workbench.blending.decision import Decision
from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import Average, Mix
from workbench.blending.weighted import Weighted
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit, Method
from workbench.ensembles.selection import CORRELATED, Selection, select
from workbench.metrics import Array
from workbench.seeds import derive_seed

Bagging = Literal["none", "seeds", "rows", "folds"]
"""Whose mean is taken: fits with several seeds, on several samples of the rows, or on all folds but one each."""


class FitsCalibration(Protocol):
    """Finds a calibration of a blend's predictions ``(rows, outputs)``; ``None`` where none is better."""

    def __call__(self, members: Members, prediction: Array) -> Calibration | None:
        """Fit on the rows of ``members``."""
        ...


class FitsDecision(Protocol):
    """Finds a decision for a blend's predictions ``(rows, outputs)``; ``None`` where there is nothing to decide."""

    def __call__(self, members: Members, prediction: Array) -> Decision | None:
        """Fit on the rows of ``members``."""
        ...


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline; ``blend`` takes the predictions of all members that it was fitted on."""

    blend: FittedBlend
    gap: float | None


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Selection of members, a method (in bags), a calibration and a decision."""

    method: Method
    selection: Selection = "best"
    correlated: float = CORRELATED
    bagging: Bagging = "none"
    bags: int = 10
    calibrate: FitsCalibration | None = None
    decide: FitsDecision | None = None

    def fit(self, members: Members) -> Fitted:
        """Fit everything on the rows of canonical ``members``.

        Raises:
            NotApplicable: the method cannot be used with these members.
        """
        chosen = select(members, self.selection, self.correlated)
        among = members if len(chosen) == len(members) else members.take(chosen)
        found = self._mix(among)
        blend = FittedBlend(mix=found.mix, probabilities=members.classification)
        if self.calibrate is not None or self.decide is not None:
            blend = self._refined(blend, among)
        return Fitted(blend if among is members else blend.spread(chosen, len(members)), found.gap)

    def _refined(self, blend: FittedBlend, members: Members) -> FittedBlend:
        """Return the blend with a calibration and a decision, where they are asked for and found."""
        prediction = blend.undecided(members.predictions, members.features)
        calibration = self.calibrate(members, prediction) if self.calibrate and members.classification else None
        if calibration is not None:
            prediction = calibration.apply(prediction)
        decision = None if self.decide is None else self.decide(members, prediction)
        return blend.model_copy(update={"calibration": calibration, "decision": decision})

    def _mix(self, members: Members) -> Fit:
        if self.bagging == "none":
            return self.method.fit(members)
        return Fit(mean_of([self._seeded(bag).fit(part).mix for bag, part in self._parts(members)]))

    def _seeded(self, bag: int) -> Method:
        return replace(self.method, seed=derive_seed(self.method.seed, "bag", bag))  # type: ignore[type-var]  # methods are dataclasses

    def _parts(self, members: Members) -> list[tuple[int, Members]]:
        """Return each bag's number and members."""
        if self.bagging == "seeds":
            return [(bag, members) for bag in range(self.bags)]
        if self.bagging == "folds":
            drawn = [members.outside(part) for part in members.slices]
        else:
            drawn = [self._drawn(members, bag) for bag in range(self.bags)]
        parts = [(bag, members.rows_where(keep)) for bag, keep in enumerate(drawn) if keep.any()]
        return parts or [(0, members)]

    def _drawn(self, members: Members, bag: int) -> Array:
        """Return which rows are in a bag, ``(rows,)``: a random two thirds of the table's rows."""
        generator = np.random.default_rng(derive_seed(self.method.seed, "rows", bag))
        return members.drawn(2.0 / 3.0, generator)


def mean_of(mixes: list[Mix]) -> Mix:
    """Return the mean of mixes; of weighted averages of values that is one weighted average."""
    averages = [mix for mix in mixes if isinstance(mix, Weighted) and mix.space == "linear"]
    if len(averages) == len(mixes):
        # Weights by class may be found in some bags, and not be worth it in others.
        return Weighted.of(np.mean(np.stack(np.broadcast_arrays(*(mix.array for mix in averages))), axis=0))
    return Average(mixes=tuple(mixes))
