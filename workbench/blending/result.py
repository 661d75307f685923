"""What fitting a blend came to."""

from __future__ import annotations

from workbench.blending.fitted import FittedBlend
from workbench.blending.holdout import HoldoutScores
from workbench.blending.weighted import Weighted
from workbench.types import Value, Values, trial_name


class MemberRef(Value):
    """A blend's member: one trial and its weight."""

    family: str
    number: int
    fit_key: str
    weight: float
    """How much it counts; not negative, 1 in all: an average's weight, or the share of a stack's coefficients."""
    score: float
    score_se: float
    values: Values
    gain: float | None = None
    """How much worse the blend's nested score would be without it, in the metric's units; below 0 it does harm.

    ``None`` where that is not known: see `workbench.ensembles.gains`.
    """

    @property
    def trial(self) -> str:
        """The trial's name, such as ``lightgbm#0017``."""
        return trial_name(self.family, self.number)


class MethodScore(Value):
    """What one method came to; ``auto`` chooses among these."""

    method: str
    in_sample: float
    nested: float
    nested_se: float
    low: float
    high: float
    """The bounds of the nested score's 95 % interval (bootstrap of rows)."""
    behind_best: float
    """How much worse than the best method's nested score, in the metric's units oriented so that less is better."""
    behind_best_se: float
    """Standard error of that difference (bootstrap of the same rows)."""
    members: int
    seconds: float
    failure: str = ""
    """Why it could not be fitted; its scores are NaN then."""


class BlendResult(Value):
    """A blend and its scores by name."""

    method: str
    members: tuple[MemberRef, ...]
    """Heaviest first; in the order in which ``fitted`` takes their predictions."""
    in_sample: float
    nested: float
    nested_se: float
    best_single: float
    """The score of the best single member, for comparison."""
    nested_low: float | None = None
    nested_high: float | None = None
    """The bounds of the nested score's 95 % interval (bootstrap of rows)."""
    gap: float | None = None
    """So much at most is the in-sample score from the best that any weights have; known of convex problems."""
    gains_by: str = ""
    """By which weights and rows the members' gains are known, such as ``convex, 5,000 rows``, where those of the blend
    itself would have taken too long; empty for its own."""
    considered: tuple[MethodScore, ...] = ()
    """Every method that was compared, simplest first."""
    correlations: tuple[tuple[float, ...], ...] = ()
    """Of the members' out-of-fold predictions, ``(members, members)``."""
    left_out: tuple[str, ...] = ()
    """Members that were not blended, each with the reason."""
    fitted: FittedBlend | None = None
    holdout: HoldoutScores | None = None
    """Of what is delivered, where rows were set aside."""

    @property
    def blend(self) -> FittedBlend:
        """What predicts; of a result that has only weights, their average."""
        if self.fitted is not None:
            return self.fitted
        return FittedBlend(mix=Weighted.of([member.weight for member in self.members]), probabilities=False)
