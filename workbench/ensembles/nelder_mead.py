"""Weights by the simplex method of Nelder and Mead (1965) on the logits of a softmax.

The metric itself is minimised, whatever it is: no gradient is asked for, and AUC or accuracy are as good as log loss.
The softmax keeps every point on the weights' simplex, so that nothing needs constraints or penalties. Beyond some
fifteen members the method stalls; so it descends on those alone to which other methods give weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.blending.weighted import Weighted
from workbench.ensembles.convex import Convex
from workbench.ensembles.greedy import Greedy
from workbench.ensembles.hill_climbing import HillClimbing
from workbench.ensembles.members import Members
from workbench.ensembles.method import Fit
from workbench.ensembles.moves import ranking, settled
from workbench.ensembles.objective import Objective
from workbench.ensembles.threads import one_blas_thread
from workbench.metrics import Array
from workbench.seeds import derive_seed

TINY = 1e-3
"""Weights below this are dropped where that does not make the score worse."""

NO_EFFECT = 1e-6
"""Weights below this change no prediction that is written; a member with one would be exported for nothing."""

STEP = 1.0
"""Edge of the first simplex in logits: a weight times or by e. SciPy's own 5 % of the start would be 0.00025 at a 0."""

DESCENDED = 15
"""Members that are descended on, at most."""

FEW = 8
"""With at most so many members, a sample of the rows is enough to select from them and to climb."""

EVALUATIONS = 8
"""Evaluations a member for each start. It only has to show which start leads somewhere better."""

POLISH = 40
"""Evaluations a member for going on from the best start's end, with a smaller simplex."""

EXACT = 15
"""Evaluations a member on all rows, where the rest was done on a sample of them."""

TOLERANCE = 1e-6
"""The least gain that is looked for, as a share of the best member's loss."""

AFFORDED = 1 << 23
"""Numbers that are looked at in these, at most."""


@dataclass(frozen=True, kw_only=True)
class NelderMead:
    """Minimise the loss of the weighted average over softmax weights, from several starts.

    The starts are what greedy selection, hill climbing and the convex method find; equal weights; weights by score;
    then seeded random ones. It descends from the best of them, and from the end a hill is climbed once more. Where the
    convex method certifies its weights, nothing is left to search, and they are taken. The result is a function of the
    members alone: the machine's clock does not matter. In-sample it is never worse than the best single member or any
    of its starts. Where the metric scores no member at all, nothing speaks for one of them, and the weights are equal.

    Attributes:
        starts: Starting points of the minimiser, the best of all.
        seed: Seed of the random ones, and of the sample of rows that the descent begins on where rows are many.
    """

    simplicity: ClassVar[int] = 6
    starts: int = 3
    seed: int = 0

    def fit(self, members: Members) -> Fit:
        """Find weights on the simplex."""
        with one_blas_thread():
            exact = Objective.of(members)
            (seed, gap), lowest = _convex(members), float(exact.singles.min())
            if np.isfinite(lowest) and gap <= TOLERANCE * abs(lowest):
                return settled(members, exact, _without_tiny(exact, seed))
            return settled(members, exact, self.weights(exact, [seed]))

    def weights(self, exact: Objective, seeds: Sequence[Array] = ()) -> Array:
        """Return weights ``(members,)``; ``seeds`` are solutions of other methods to start from."""
        count = len(exact)
        if not np.isfinite(exact.singles).any():
            return np.full(count, 1.0 / count)
        best: Array = np.eye(count)[ranking(exact.singles)[0]]
        if count == 1:
            return best
        screen = exact.sampled(self.seed)
        near = exact if count > FEW else screen
        chosen = Greedy(seed=self.seed).weights(near)
        hill = HillClimbing(seed=self.seed)
        top = hill.weights(near, [best, chosen] if near is exact else [chosen])  # a sample has no fine tops
        seeds = [top, chosen, *seeds]
        which = _descended(screen, seeds)
        starts = [*seeds, np.full(count, 1.0 / count), _by_score(exact.singles)]
        found = np.zeros((2, count))
        found[0, which] = self._descend(screen.subset(which), [start[which] for start in starts])
        first = min([found[0], best, *starts], key=exact)
        evaluations = min(EXACT * len(which), AFFORDED // exact.size)
        if screen is not exact and evaluations > 2 * len(which) and first[which].sum() > 1.0 - TINY:
            found[1, which] = _end(exact.subset(which), first[which], evaluations, STEP / 8)
            first = min([first, found[1]], key=exact)
        if screen is not exact or first is found[0]:  # else it is the top of a hill already, or nothing is near
            first = min([first, hill.finished(exact, screen, first)], key=exact)
        return _without_tiny(exact, first)

    def _descend(self, loss: Objective, starts: list[Array]) -> Array:
        """Return the end of the descent from the best of the starts' ends; the best start if none leads lower."""
        count = len(loss)
        generator = np.random.default_rng(derive_seed(self.seed, "nelder_mead", count))
        normed = [start / start.sum() for start in starts if start.any()]
        points = list({point.tobytes(): point for point in normed}.values())  # methods often find the same
        points += [generator.dirichlet(np.ones(count)) for _ in range(self.starts - len(points))]
        points = sorted(points, key=loss)[: self.starts]
        best = min([_end(loss, point, EVALUATIONS * count, STEP) for point in points], key=loss)
        return best if loss(best) >= loss(points[0]) else _end(loss, best, POLISH * count, STEP / 4)


def _convex(members: Members) -> tuple[Array, float]:
    """Return the convex method's weights, and how much lower a plain average may be at most; infinite if unknown."""
    fit = Convex().fit(members)
    if not isinstance(fit.mix, Weighted):  # pragma: no cover
        raise TypeError(f"convex: expected a weighted average, got {fit.mix.kind}")
    weights: Array = fit.mix.array[:, 0]
    return weights, fit.gap if fit.gap is not None and fit.mix.space == "linear" else np.inf


def _descended(exact: Objective, seeds: Sequence[Array]) -> Array:
    """Return the members to descend on, rising: those with the most weight in any seed, then the best alone."""
    if len(exact) <= DESCENDED:
        return np.arange(len(exact))
    weight = np.max(seeds, axis=0)
    weighted = [i for i in ranking(-weight) if weight[i] > TINY][: DESCENDED - 2]
    rest = [i for i in ranking(exact.singles) if i not in weighted]
    return np.sort(np.array([*weighted, *rest])[:DESCENDED])


def _by_score(singles: Array) -> Array:
    """Return weights that fall by a factor e over the spread (standard deviation) of the members' losses."""
    finite = np.where(np.isfinite(singles), singles, singles[np.isfinite(singles)].max())
    spread = float(finite.std())
    return softmax((finite.min() - finite) / spread) if spread > 0 else np.full(len(singles), 1.0 / len(singles))


def softmax(logits: Array) -> Array:
    """Return the softmax of ``(n,)`` logits."""
    powers = np.exp(logits - logits.max())
    weights: Array = powers / powers.sum()
    return weights


def _end(loss: Objective, start: Array, evaluations: int, step: float) -> Array:
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
            "fatol": TOLERANCE * abs(float(loss.singles.min())) + 1e-12,
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
