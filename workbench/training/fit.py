"""All splits of one configuration: train, predict, score, store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.models.hyperparameters import HyperParameters
from workbench.training.build import Built, build
from workbench.training.bundle import save_bundle
from workbench.training.fitted import FittedSplit
from workbench.training.fitters import fitter_for
from workbench.training.material import Material, Split
from workbench.training.memory import gpu_peak_mb, peak_mb
from workbench.training.outputs import in_units
from workbench.training.storing import store
from workbench.training.watcher import Tell, Watcher
from workbench.types import Job, Reported, TrialResult, fingerprint

Report = Callable[[Reported], bool]


@dataclass(frozen=True)
class Outcome:
    """A split's fitted model, its predictions in original units and its score."""

    fitted: FittedSplit
    split: Split
    oof: NDArray[np.float64]
    test: NDArray[np.float64] | None
    score: float
    fit_s: float
    predict_s: float
    truncated: bool


def fit(material: Material, report: Report) -> TrialResult:
    """Fit a configuration on every split and return its result; store everything if the job names a vault.

    Raises:
        FactoryError: the user's factory cannot be built or trained.
        TrialFailed: shapes or numbers are not what they must be.
        TrialStopped: a report was answered with 'stop'.
    """
    job = material.job
    end = None if job.seconds is None else time.monotonic() + job.seconds
    built = _built(material, material.seed(0, "fit"))
    rows = material.training_rows()
    fitter = fitter_for(built, material.problem, job.settings, folds=rows, rebuild=lambda seed: _built(material, seed))
    outcomes = []
    for split in material.splits(neural=built.neural):
        watcher = Watcher(
            material.monitor,
            split.y[split.watch],
            split.weights(split.watch),
            patience=fitter.patience,
            tell=_tell(job, split, report),
            until=_share(end, material.plan.splits - split.index),
        )
        started = time.perf_counter()
        fitted = fitter.fit(split, watcher)
        watcher.check()
        outcomes.append(_outcome(material, split, fitted, time.perf_counter() - started, watcher.truncated))
    result = _result(job, built, outcomes, fitter.weights)
    _store(material, built, outcomes, result)
    return result


def _share(end: float | None, splits_left: int) -> float | None:
    """Return until when the next split may train, so that each of those left has as long."""
    return None if end is None else time.monotonic() + (end - time.monotonic()) / splits_left


def _built(material: Material, seed: int) -> Built:
    job = material.job
    return build(job.family, material.problem, HyperParameters(job.values, space=job.space), seed)


def _tell(job: Job, split: Split, report: Report) -> Tell:
    def tell(epoch: int, value: float, loss: float | None) -> bool:
        return report(Reported(job_id=job.job_id, split=split.index, epoch=epoch, value=value, loss=loss))

    return tell


def _outcome(material: Material, split: Split, fitted: FittedSplit, fit_s: float, truncated: bool) -> Outcome:
    started = time.perf_counter()
    prepared = split.prepared
    oof = _predicted(material, split, fitted, prepared.table.take(split.validate))
    test = None if prepared.test is None else _predicted(material, split, fitted, prepared.test)
    predict_s = time.perf_counter() - started
    score = material.metric(split.y[split.validate], oof, split.weights(split.validate))
    return Outcome(fitted, split, oof, test, score, fit_s, predict_s, truncated)


def _predicted(material: Material, split: Split, fitted: FittedSplit, prepared: Prepared) -> NDArray[np.float64]:
    rows = prepared.numeric.shape[0]
    return in_units(fitted.model.predict(prepared), rows, split.target, material.problem)


def _result(job: Job, built: Built, outcomes: list[Outcome], weights: int) -> TrialResult:
    scores = np.array([outcome.score for outcome in outcomes])
    spread = float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
    truncated = any(outcome.truncated for outcome in outcomes)
    with_epochs = any(outcome.fitted.best_epoch for outcome in outcomes)
    return TrialResult(
        score=float(scores.mean()),
        score_se=spread,
        scores=tuple(scores.tolist()),
        values=built.values,
        best_epochs=tuple(o.fitted.best_epoch for o in outcomes) if with_epochs else (),
        epochs=tuple(o.fitted.epochs for o in outcomes) if with_epochs else (),
        fit_s=sum(o.fit_s for o in outcomes),
        predict_s=sum(o.predict_s for o in outcomes),
        peak_mb=peak_mb(),
        gpu_peak_mb=gpu_peak_mb(),
        weights=weights,
        fit_key=_truncated_key(job, outcomes) if truncated else job.fit_key,
        truncated=truncated,
    )


def _truncated_key(job: Job, outcomes: list[Outcome]) -> str:
    """Return the key of a fit that the clock ended: by what came out, as attempts of other ledgers have this number."""
    return fingerprint("truncated", job.fit_key, job.job_id, [[repr(o.score), o.fitted.epochs] for o in outcomes])


def _store(material: Material, built: Built, outcomes: list[Outcome], result: TrialResult) -> None:
    tests = [outcome.test for outcome in outcomes if outcome.test is not None]
    bundles = [
        partial(save_bundle, material=material, built=built, split=o.split, model=o.fitted.model) for o in outcomes
    ]
    store(material, result, [o.oof for o in outcomes], np.mean(tests, axis=0) if tests else None, bundles)
