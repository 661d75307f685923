"""From members to a blend with its scores by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from workbench import registry
from workbench.blending.result import BlendResult, MemberRef
from workbench.ensembles.calibrating import fit_calibration
from workbench.ensembles.choice import Trained, choose, compare
from workbench.ensembles.deciding import fit_decision
from workbench.ensembles.gains import Gains, member_gains
from workbench.ensembles.members import Candidate, Members
from workbench.ensembles.method import NotApplicable, make_method
from workbench.ensembles.pipeline import Bagging, Pipeline
from workbench.ensembles.selection import CORRELATED, Selection, correlations
from workbench.errors import ConfigError

AUTO = "auto"
"""Every method of `AUTO_METHODS`, and of other packages, is tried; the simplest one as good as the best is taken."""

AUTO_METHODS = ("convex", "mean", "geometric_mean", "rank_average", "greedy", "nelder_mead", "stacking")
"""Not ``hill_climbing``: ``nelder_mead`` starts where it ends, and goes on from there."""


@dataclass(frozen=True, kw_only=True)
class BlendSettings:
    """How a blend is fitted.

    Attributes:
        method: Name of an ensemble method, or ``auto``.
        options: The method's own options.
        selection: Which members it is given.
        correlated: Members that correlate more with a better one are left out, where ``selection`` is uncorrelated.
        per_class: Weights of each class' own, for methods that have them.
        calibration: ``none``, ``temperature`` or ``isotonic``.
        decision: ``auto``: thresholds, cut-points or a range, as the metric asks for; ``none``.
        bagging: Whose mean is taken.
        bags: How many, of seeds and rows.
        seed: Seed of what is random.
    """

    method: str = AUTO
    options: dict[str, Any] = field(default_factory=dict)
    selection: Selection = "best"
    correlated: float = CORRELATED
    per_class: bool = False
    calibration: Literal["none", "temperature", "isotonic"] = "none"
    decision: Literal["auto", "none"] = "auto"
    bagging: Bagging = "none"
    bags: int = 10
    seed: int = 0

    @property
    def reads_features(self) -> bool:
        """Whether the method is to look at raw features too (`Members.features`)."""
        return bool(self.options.get("features", False))

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        """Everything that is to be compared, by the method's name.

        Raises:
            ConfigError: there is no such method, or it has no such option.
        """
        if self.method != AUTO:
            return {self.method: self._pipeline(self.method)}
        if self.options:
            raise ConfigError(
                f"ensemble.method: auto has no options, received {', '.join(self.options)}; name a method that has them"
            )
        built_in = registry.BUILT_INS["ensembles"]
        others = [name for name in registry.references("ensembles") if name not in built_in]
        return {name: self._pipeline(name) for name in (*AUTO_METHODS, *others)}

    def _pipeline(self, name: str) -> Pipeline:
        options = self.options if name == self.method else {}
        if self.per_class and (name == self.method or name == "convex"):
            options = {**options, "per_class": True}
        return Pipeline(
            method=make_method(name, options, seed=self.seed),
            selection=self.selection,
            correlated=self.correlated,
            bagging=self.bagging,
            bags=self.bags,
            calibrate=None if self.calibration == "none" else partial(fit_calibration, self.calibration),
            decide=None if self.decision == "none" else fit_decision,
        )


def blend(members: Members, settings: BlendSettings | None = None) -> BlendResult:
    """Fit what ``settings`` say, and score it in-sample and nested.

    The result's members are those that count, heaviest first. Neither the order of ``members`` nor duplicates of them
    change anything.

    Raises:
        ConfigError: there is no such method, or it cannot be used with these members.
    """
    settings = settings or BlendSettings()
    members = members.canonical()
    pipelines = settings.pipelines
    if settings.method == AUTO and len(members) == 1:  # one alone has no weights to find
        pipelines = {"mean": pipelines["mean"]}
    trained, table = compare(pipelines, members)
    if not trained:
        raise NotApplicable("; ".join(row.failure for row in table))
    chosen = choose(trained, table)
    return result(members, chosen, table, pipelines[chosen.name])


def result(members: Members, chosen: Trained, table: tuple[Any, ...], pipeline: Pipeline | None = None) -> BlendResult:
    """Return one of the trained pipelines as what is delivered; given the pipeline, with each member's gain."""
    shares = chosen.fitted.blend.mix.shares()
    order = sorted(np.flatnonzero(shares > 0).tolist(), key=lambda i: (-shares[i], members.refs[i].trial))
    gains = Gains((None,) * len(order)) if pipeline is None else member_gains(members, chosen, pipeline, order)
    row = next(row for row in table if row.method == chosen.name)
    singles = np.array([members.metric.loss(score) for score in members.singles()])
    return BlendResult(
        method=chosen.name,
        members=tuple(
            _weighted(members.refs[i], float(shares[i]), gain) for i, gain in zip(order, gains.of, strict=True)
        ),
        in_sample=chosen.in_sample,
        nested=row.nested,
        nested_se=row.nested_se,
        nested_low=row.low,
        nested_high=row.high,
        best_single=members.metric.loss(float(singles.min())) if np.isfinite(singles).any() else float("nan"),
        gap=chosen.fitted.gap,
        gains_by=gains.by,
        considered=table,
        correlations=tuple(map(tuple, correlations(members.predictions, order).tolist())),
        fitted=chosen.fitted.blend.take(order),
    )


def _weighted(ref: Candidate, weight: float, gain: float | None) -> MemberRef:
    return MemberRef(
        family=ref.family,
        number=ref.number,
        fit_key=ref.fit_key,
        weight=weight,
        score=ref.score,
        score_se=ref.score_se,
        values=ref.values,
        gain=gain,
    )
