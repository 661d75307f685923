"""How far a score may be from what it would be on other rows of the same kind: the bootstrap of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.ensembles.members import Members
from workbench.metrics import Array
from workbench.seeds import derive_seed

SAMPLES = 200
ROWS = 5e6
"""So many rows are scored in all, for each prediction: there are fewer samples of large tables."""

FEWEST = 25
NORMAL = 1.96
"""So many standard errors hold 95 % of a normal distribution."""


def bootstrap(members: Members, predictions: Sequence[Array], *, seed: int = 0) -> Array:
    """Return the score of each prediction ``(rows, outputs)`` on resampled rows, ``(samples, predictions)``.

    Rows of the table are drawn with replacement, with all their repeats, and stay in their splits; all predictions are
    scored on the same samples, so that their differences mean something. After Efron (1979); many rows are each drawn
    so often as a Poisson number says, which is all but the same.
    """
    rows, place = np.unique(members.row, return_inverse=True)
    samples = int(np.clip(ROWS / max(1, len(members.row)), FEWEST, SAMPLES))
    generator = np.random.default_rng(derive_seed(seed, "bootstrap"))
    scores = np.empty((samples, len(predictions)))
    for sample in range(samples):
        times = generator.poisson(1.0, len(rows)) if len(rows) > 100_000 else _drawn(generator, len(rows))
        chosen = np.repeat(np.arange(len(members.row)), times[place])
        scores[sample] = _scores(members, predictions, chosen)
    return scores


def _drawn(generator: np.random.Generator, rows: int) -> Array:
    """Return how often each of so many rows is drawn, ``(rows,)``."""
    return np.bincount(generator.integers(0, rows, rows), minlength=rows)


def _scores(members: Members, predictions: Sequence[Array], chosen: Array) -> Array:
    """Return the mean over splits of each prediction's score on the rows ``chosen``, by their places."""
    bounds = np.searchsorted(chosen, [part.start for part in members.slices] + [len(members.row)])
    parts = [chosen[bounds[i] : bounds[i + 1]] for i, defined in enumerate(members.defined) if defined]
    y, weight, metric = members.y, members.weight, members.metric
    table = np.array(
        [
            [metric(y[part], prediction[part], None if weight is None else weight[part]) for prediction in predictions]
            for part in parts
            if len(part)
        ]
    )
    if not len(table):
        return np.full(len(predictions), np.nan)
    known = table[np.isfinite(table).all(axis=1)]
    means: Array = known.mean(axis=0) if len(known) else np.full(len(predictions), np.nan)
    return means


def interval(scores: Array) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of bootstrapped scores ``(samples,)``; NaN where none is known."""
    known = scores[np.isfinite(scores)]
    if not len(known):
        return float("nan"), float("nan")
    if len(known) < SAMPLES // 2:  # too few for their tails; their rows are so many that the score is all but normal
        middle, error = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0
        return middle - NORMAL * error, middle + NORMAL * error
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
