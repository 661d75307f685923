"""The answer to an idea: its difference to a baseline, how sure that is, and a verdict."""

from __future__ import annotations

from workbench.evaluation.statistics import SEED_BOUND, SIGNIFICANT, PairedTest, judge
from workbench.types import Direction, Value, Verdict
from workbench.wording import less_or_more


class Comparison(Value):
    """A candidate beside its baseline, on the same splits. Scores and differences are in the metric's units."""

    experiment: str
    sweep: int
    metric: str
    direction: Direction
    candidate: str
    """Name of the candidate's trial, such as ``lightgbm+v2#0003``."""
    baseline: str
    candidate_scores: tuple[float, ...]
    """By split."""
    baseline_scores: tuple[float, ...]
    difference: float
    """Mean over splits of candidate minus baseline."""
    difference_se: float | None
    """Standard error, corrected for overlapping training sets; ``None`` of a single split."""
    p: float | None
    """P value of the corrected resampled t-test; ``None`` of a single split."""
    seed_noise: float
    """Standard deviation of the baseline's score over seeds, its own among them."""
    seed_scores: tuple[float, ...]
    """The scores of those trainings."""
    verdict: Verdict
    reason: str
    """One sentence: why, and what would tell more."""
    note: str = ""

    @property
    def differences(self) -> tuple[float, ...]:
        """Candidate minus baseline, by split."""
        return tuple(c - b for c, b in zip(self.candidate_scores, self.baseline_scores, strict=True))

    @property
    def candidate_score(self) -> float:
        """Mean over splits."""
        return sum(self.candidate_scores) / len(self.candidate_scores)

    @property
    def baseline_score(self) -> float:
        """Mean over splits."""
        return sum(self.baseline_scores) / len(self.baseline_scores)

    @property
    def summary(self) -> str:
        """The difference with what it must be measured by, in a line."""
        error = "" if self.difference_se is None else f" ± {self.difference_se:.2g}"
        p = "" if self.p is None else f", p = {self.p:.2g}"
        seeds = f"seed noise {self.seed_noise:.2g} ({len(self.seed_scores)} seeds)"
        return f"difference {self.difference:+.3g}{error}{p}; {seeds}"

    def __str__(self) -> str:
        """Return the comparison as a person reads it."""
        better = less_or_more(self.direction)
        lines = [f"{self.candidate} against {self.baseline} ({self.metric}, {better} is better)"]
        lines += [f"note: {self.note}"] if self.note else []
        rows = zip(self.baseline_scores, self.candidate_scores, self.differences, strict=True)
        lines += [f"  split {i}: {b:.5g} → {c:.5g} ({d:+.3g})" for i, (b, c, d) in enumerate(rows)]
        lines += [f"  mean: {self.baseline_score:.5g} → {self.candidate_score:.5g}"]
        return "\n".join([*lines, self.summary, f"{self.verdict}: {self.reason}"])

    def __repr__(self) -> str:
        """Return the same: it is what a notebook shows."""
        return str(self)


def judged(direction: Direction, test: PairedTest, seed_noise: float, advice: str) -> tuple[Verdict, str]:
    """Return the verdict, and the sentence that gives its reason; ``advice`` is what would tell more."""
    verdict = judge(direction, test, seed_noise)
    if test.p is None:
        return verdict, f"a single split has no standard error; {advice}."
    if verdict != "noise":
        errors = "the same on every split" if not test.se else f"{abs(test.mean) / test.se:.1f} standard errors"
        return verdict, f"the difference is {errors}, and {_beside_seeds(test.mean, seed_noise)}."
    if test.se == 0.0:
        return verdict, "there is no difference at all: what was tried changes no score."
    if test.p >= SIGNIFICANT:
        chance = f"{max(1, round(100 * test.p))} of 100 pairs of equals differ as much by chance"
        return verdict, f"{chance}; to tell, {advice}."
    bound = SEED_BOUND * seed_noise
    return verdict, f"other seeds alone change the score by up to {bound:.2g}; to tell, {advice}."


def _beside_seeds(mean: float, seed_noise: float) -> str:
    if seed_noise == 0.0:
        return "other seeds change nothing"
    return f"{abs(mean) / seed_noise:.1f} times the seed noise"
