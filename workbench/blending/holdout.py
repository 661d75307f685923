"""What a blend came to on the rows that were set aside."""

from __future__ import annotations

from workbench.types import Value


class HoldoutScores(Value):
    """Scores on rows that no fold, search, fit or blend has seen, in the metric's units."""

    holdout: float
    """The blend's score."""
    holdout_se: float
    """Its standard error: bootstrap of the rows."""
    best_single_holdout: float
    """The score of the best trial by its out-of-fold score, for comparison."""
    holdout_gain_se: float
    """Standard error of the difference of the two: bootstrap of the same rows."""
    holdout_rows: int
    """So many rows were set aside."""
