"""Stacking: a model over the members' out-of-fold predictions (Wolpert, 1992), fitted on one level or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, get_args

import numpy as np

from workbench import registry
from workbench.blending.mix import Levels, Mix
from workbench.ensembles.boosted_stack import FEWEST, boosted_stack
from workbench.ensembles.linear_stack import linear_stack
from workbench.ensembles.members import Candidate, Members
from workbench.ensembles.method import Fit, Method
from workbench.errors import ConfigError, nearest
from workbench.metrics import Array

Model = Literal["linear", "boosted"]
MODELS: tuple[str, ...] = get_args(Model)


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """A meta-model of the members' predictions.

    ``linear`` is ridge regression of values, or logistic regression of log-odds (of several classes the log-linear
    pool), drawn towards the plain mean as much as the splits left out call for. ``boosted`` are shallow trees that
    correct the plain mean, stopped when the splits left out say so.

    Attributes:
        model: ``linear`` or ``boosted``.
        features: Whether the trees look at the raw features too.
        levels: 2 blends linear, boosted and weighted mixes by convex weights: the second level's members are what those
            of the first predict for the splits that they were not fitted on.
        seed: Seed of what is random.
    """

    simplicity: ClassVar[int] = 7
    model: Model = "linear"
    features: bool = False
    levels: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse options that say nothing."""
        if self.model not in MODELS:
            raise ConfigError(
                f"stacking: model '{self.model}' is none of {', '.join(MODELS)}.{nearest(self.model, MODELS)}"
            )
        if self.levels not in (1, 2):
            raise ConfigError(f"stacking: levels is 1 or 2, received {self.levels}")
        if self.features and self.model == "linear" and self.levels == 1:
            raise ConfigError("stacking: only boosted trees look at raw features; add 'model: boosted'")

    @property
    def reads_features(self) -> bool:
        """Whether it needs `Members.features`."""
        return self.features

    def fit(self, members: Members) -> Fit:
        """Fit the meta-model on all rows.

        Raises:
            ConfigError: raw features are asked for and not there.
        """
        if self.features and members.features is None:
            raise ConfigError("stacking: there are no raw features here; leave 'features' out")
        return Fit(self._second(members) if self.levels == 2 else self._first(members, self.model))

    def _first(self, members: Members, model: str) -> Mix:
        least = FEWEST if model == "boosted" else 1
        if not any(members.outside(part).sum() >= least for part in _scored(members)):  # nothing to fit on
            return linear_stack(members, penalties=(np.inf,))
        if model == "linear":
            return linear_stack(members)
        return boosted_stack(members, features=self.features, seed=self.seed)

    def _second(self, members: Members) -> Mix:
        """Fit the first level without each split, and the second one on what that predicts for it."""
        weighted: Method = registry.resolve("ensembles", "convex")(seed=self.seed)

        def average(part: Members) -> Mix:
            return weighted.fit(part).mix

        fits: list[Callable[[Members], Mix]] = [
            partial(self._first, model="linear"),
            partial(self._first, model="boosted"),
            average,
        ]
        predictions = np.empty((len(fits), *members.predictions.shape[1:]))
        for part in members.slices:
            outside = members.outside(part)
            if not outside.any():
                return fits[0](members)
            others = members.rows_where(outside)
            features = None if members.features is None else members.features[part]
            for place, fit in enumerate(fits):
                predictions[place, part] = fit(others).apply(members.predictions[:, part], features)
        level = _with_predictions(members, predictions)
        then = weighted.fit(level).mix
        counting = np.flatnonzero(then.shares()).tolist()
        return Levels(first=tuple(fits[place](members) for place in counting), then=then.take(counting))


def _scored(members: Members) -> list[slice]:
    return [part for part, defined in zip(members.slices, members.defined, strict=True) if defined]


def _with_predictions(members: Members, predictions: Array) -> Members:
    refs = tuple(Candidate("level", i, f"level{i}", members.plan_key, np.nan, np.nan) for i in range(len(predictions)))
    return replace(members, refs=refs, predictions=predictions)
