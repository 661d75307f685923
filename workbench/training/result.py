"""From the outcomes of the splits to a trial's result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.training.material import Material
from workbench.training.memory import gpu_peak_mb, peak_mb
from workbench.training.outcome import Outcome
from workbench.types import TrialResult, fingerprint


def result_of(material: Material, outcomes: Sequence[Outcome]) -> TrialResult:
    """Return the result of a configuration by the outcomes of its splits, in plan order."""
    scores = np.array([outcome.score for outcome in outcomes])
    spread = float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
    with_epochs = any(outcome.best_epoch for outcome in outcomes)
    return TrialResult(
        score=float(scores.mean()),
        score_se=spread,
        scores=tuple(scores.tolist()),
        values={name: value for outcome in outcomes for name, value in outcome.values.items()},
        best_epochs=tuple(o.best_epoch for o in outcomes) if with_epochs else (),
        epochs=tuple(o.epochs for o in outcomes) if with_epochs else (),
        fit_s=sum(o.fit_s for o in outcomes),
        predict_s=sum(o.predict_s for o in outcomes),
        peak_mb=peak_mb(),
        gpu_peak_mb=gpu_peak_mb(),
        weights=max(o.weights for o in outcomes),
        fit_key=_key(material, outcomes),
        truncated=any(outcome.truncated for outcome in outcomes),
        screened=material.job.screen is not None,
        batch_scale=material.job.batch_scale,
        final=not any(len(outcome.oof) for outcome in outcomes),
    )


def _key(material: Material, outcomes: Sequence[Outcome]) -> str:
    """Return the fit's key; one that the clock ended has its own.

    That is by what came out, as attempts of other ledgers have this number.
    """
    key, job = material.fit_key, material.job
    if job.screen is not None or not any(outcome.truncated for outcome in outcomes):
        return key
    return fingerprint("truncated", key, job.job_id, [[repr(o.score), o.epochs] for o in outcomes])
