"""Weights by the simplex method of Nelder and Mead (1965) on the logits of a softmax.

The metric itself is minimised, whatever it is: no gradient is asked for, and AUC or accuracy are as good as log loss.
The softmax keeps every point on the weights' simplex, so that nothing needs constraints or penalties.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.blending.weighted import Weighted
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.metrics import Array
from workbench.seeds import derive_seed

TINY = 1e-3
"""Weights below this are dropped where that does not make the score worse."""

NO_EFFECT = 1e-6
"""Weights below this change no prediction that is written; a member with one would be exported for nothing."""

STEP = 1.0
"""Edge of the first simplex in logits: a weight times or by e. SciPy's own 5 % of the start would be 0.00025 at a 0."""

EVALUATIONS = 15
"""Evaluations a member for each start. It only has to show which start leads somewhere better."""

POLISH = 50
"""Evaluations a member for going on from the best start's end, with a smaller simplex."""

SHARE = 0.9
"""Weight of the leading member where a start stands near a corner (a softmax cannot stand in it)."""


@dataclass(frozen=True, kw_only=True)
class NelderMead:
    """Minimise the loss of the weighted average over softmax weights, from several starts.

    The starts are, in this order: equal weights; near the best member's corner; weights by score; then seeded random
    ones. The result is a function of the members alone: their order does not matter, and neither does the machine's
    clock. In-sample it is never worse than the best single member, which it falls back to. Where the metric scores no
    member at all, nothing speaks for one of them, and the weights are equal.

    Attributes:
        starts: Starting points of the minimiser.
        seed: Seed of the random ones.
    """

    simplicity: ClassVar[int] = 6
    starts: int = 4
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Return weights on the simplex."""
        singles = members.metric.loss(1.0) * members.singles()
        singles = np.where(np.isnan(singles), np.inf, singles)
        order = _canonical(members, singles)
        weights = np.zeros(len(members))
        weights[order] = self._fit_ordered(_Objective(members, order), singles[order])
        return Fit(Weighted.of(weights))

    def _fit_ordered(self, loss: _Objective, singles: Array) -> Array:
        """Fit members that come best first."""
        count = len(singles)
        if not np.isfinite(singles[0]):
            return np.full(count, 1.0 / count)
        best: Array = np.eye(count)[0]
        if count == 1:
            return best
        tolerance = 1e-6 * abs(float(singles[0])) + 1e-12
        found = [_descend(loss, start, tolerance, EVALUATIONS * count) for start in self._starts(singles)]
        polished = _descend(loss, min(found, key=loss), tolerance, POLISH * count, step=STEP / 4)
        weights = _without_tiny(loss, polished)
        return weights if loss(weights) < loss(best) else best

    def _starts(self, singles: Array) -> list[Array]:
        """Return the first ``starts`` starting points, as weights."""
        count = len(singles)
        generator = np.random.default_rng(derive_seed(self.seed, "nelder_mead", count))
        corner = np.full(count, (1.0 - SHARE) / (count - 1))
        corner[0] = SHARE
        fixed = [np.full(count, 1.0 / count), corner, _by_score(singles)]
        randoms = [generator.dirichlet(np.ones(count)) for _ in range(max(0, self.starts - len(fixed)))]
        return (fixed + randoms)[: max(1, self.starts)]


class _Objective:
    """The loss of weights over members in canonical order; what was evaluated last is remembered."""

    def __init__(self, members: Members, order: Array) -> None:
        self._members, self._order = members, order
        self._known: dict[bytes, float] = {}

    def __call__(self, weights: Array) -> float:
        key = weights.tobytes()
        if key not in self._known:
            self._known[key] = self._evaluate(weights)
        return self._known[key]

    def _evaluate(self, weights: Array) -> float:
        placed = np.empty_like(weights)
        placed[self._order] = weights
        members = self._members
        value = members.metric.loss(members.score(members.blend(placed)))
        return value if np.isfinite(value) else float("inf")


def _canonical(members: Members, singles: Array) -> Array:
    """Return the members' order, best first, that does not depend on the order in which they came."""
    keys = [(float(loss), ref.family, ref.number, ref.fit_key) for loss, ref in zip(singles, members.refs, strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__))


def _by_score(singles: Array) -> Array:
    """Return weights that fall by a factor e over the spread (standard deviation) of the members' losses."""
    finite = np.where(np.isfinite(singles), singles, singles[np.isfinite(singles)].max())
    spread = float(finite.std())
    return softmax(-(finite - finite[0]) / spread) if spread > 0 else np.full(len(singles), 1.0 / len(singles))


def softmax(logits: Array) -> Array:
    """Return the softmax of ``(n,)`` logits."""
    powers = np.exp(logits - logits.max())
    weights: Array = powers / powers.sum()
    return weights


def _descend(
    loss: Callable[[Array], float], start: Array, tolerance: float, evaluations: int, *, step: float = STEP
) -> Array:
    """Return the best weights that Nelder-Mead finds from ``start``; the first member's logit stays at 0."""
    from scipy.optimize import minimize

    def weights_of(point: Array) -> Array:
        return softmax(np.r_[0.0, point])

    logits = np.log(np.maximum(start, TINY / 10))
    origin = logits[1:] - logits[0]
    simplex = np.vstack([origin, origin + step * np.eye(len(origin))])
    result = minimize(  # type: ignore[call-overload]  # the stubs want NumPy scalars for tolerances
        lambda point: loss(weights_of(point)),
        origin,
        method="Nelder-Mead",
        options={
            "initial_simplex": simplex,
            "maxfev": evaluations,
            "xatol": 0.02,
            "fatol": tolerance,
            "adaptive": len(origin) > 5,
        },
    )
    end = weights_of(np.asarray(result.x))
    return end if loss(end) <= loss(start) else start


def _without_tiny(loss: Callable[[Array], float], weights: Array) -> Array:
    """Return weights without those below `TINY`, unless that is worse; those of no effect go in any case."""
    kept, real = _without(weights, TINY), _without(weights, NO_EFFECT)
    return kept if loss(kept) <= loss(real) else real


def _without(weights: Array, threshold: float) -> Array:
    kept = np.where(weights < threshold, 0.0, weights)
    normed: Array = kept / kept.sum()
    return normed
