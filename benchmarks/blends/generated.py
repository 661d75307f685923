"""Members as real ones are, in any number: of differing quality, with errors in common, not all of them calibrated.

A row has a value that could be known (``signal``) and a part that could not. A member sees the signal through three
errors: one that all members share, one of its family, and its own; real members of several families correlate so, with
0.9 to 0.99. It is also too sure or not sure enough of itself. The outcome is a regression's value, a class of two, or
one of three in order.
"""

from __future__ import annotations

import numpy as np

from workbench.ensembles.members import Candidate, Members
from workbench.metrics import Array, load_metric
from workbench.seeds import derive_seed
from workbench.types import MetricRef

FOLDS = 5
FAMILIES = 7
COMMON, OF_FAMILY, OWN = 0.35, 0.25, (0.1, 0.6)
"""Standard deviations of the errors beside a signal's of 1; a member's own is drawn from a range."""
SURE = (0.75, 1.3)
"""How much too far from the middle a member's predictions are."""
NOISE = 0.8
"""Standard deviation of what nobody can know of a value."""
STEEP = 2.0
"""How fast a class' log-odds rise with the signal."""
CUTS = {"log_loss": (0.5,), "auc": (1.2,), "qwk": (-0.7, 0.7)}
"""Where the classes of a metric part, on the signal: a third, one of eight, and three of about the same size."""


def generate(metric: str, rows: int, count: int, seed: int = 0) -> Members:
    """Return ``count`` members for a metric, on ``rows`` rows in folds of the same size."""
    generator = np.random.default_rng(derive_seed(seed, metric, rows))
    signal = generator.standard_normal(rows)
    y = _outcome(metric, signal, generator)
    shared = signal + COMMON * generator.standard_normal(rows)
    families = OF_FAMILY * generator.standard_normal((FAMILIES, rows))
    predictions = np.empty((count, rows, len(CUTS[metric]) + 1 if metric == "qwk" else 1))
    for member in range(count):
        seen = shared + families[member % FAMILIES]
        seen += generator.uniform(*OWN) * generator.standard_normal(rows)
        predictions[member] = _prediction(metric, seen * generator.uniform(*SURE))
    ref = MetricRef(name=metric)
    return Members(
        refs=tuple(_candidate(member) for member in range(count)),
        predictions=predictions,
        y=y,
        weight=None,
        split=np.arange(rows) * FOLDS // rows,
        row=np.arange(rows),
        metric=load_metric(ref),
        plan_key="generated",
        classification=metric in CUTS,
    )


def _outcome(metric: str, signal: Array, generator: np.random.Generator) -> Array:
    if metric not in CUTS:
        value: Array = signal + NOISE * generator.standard_normal(len(signal))
        return value
    latent = signal + generator.logistic(size=len(signal)) / STEEP
    codes: Array = np.searchsorted(np.array(CUTS[metric]), latent)
    return codes


def _prediction(metric: str, seen: Array) -> Array:
    """Return a member's prediction ``(rows, outputs)`` from what it has seen of the signal."""
    if metric not in CUTS:
        return seen[:, None]
    above: Array = 1.0 / (1.0 + np.exp(-STEEP * (seen[:, None] - np.array(CUTS[metric]))))
    if metric != "qwk":
        return above
    ones, zeros = np.ones((len(seen), 1)), np.zeros((len(seen), 1))
    probabilities: Array = -np.diff(np.hstack([ones, above, zeros]), axis=1)
    return probabilities


def _candidate(member: int) -> Candidate:
    family = f"family{member % FAMILIES}"
    number = member // FAMILIES + 1
    return Candidate(family, number, f"{member:016x}", "generated", float("nan"), float("nan"))
