"""All splits of one configuration: train, predict, score, store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import TrialStopped
from workbench.models.hyperparameters import HyperParameters
from workbench.models.identity import confirm_code
from workbench.training.build import Built, build
from workbench.training.bundle import save_bundle
from workbench.training.checkpoints import Checkpoints
from workbench.training.fitted import FittedSplit
from workbench.training.fitters import fitter_for
from workbench.training.material import Material, Split
from workbench.training.outcome import Outcome, Told
from workbench.training.outputs import in_units
from workbench.training.result import result_of
from workbench.training.storing import store
from workbench.training.watcher import Tell, Watcher, tell_all
from workbench.types import Job, Reported, TrialResult

Report = Callable[[Reported], bool]


def fit(material: Material, report: Report) -> TrialResult:
    """Fit a configuration on every split and return its result; store everything if the job names a vault.

    Raises:
        FactoryError: the user's factory cannot be built or trained.
        TrialFailed: shapes or numbers are not what they must be.
        TrialStopped: a report was answered with 'stop'.
    """
    job = material.job
    end = None if job.seconds is None else time.monotonic() + job.seconds
    checkpoints = Checkpoints(material)
    training = _Training(material, report, checkpoints)
    outcomes: list[Outcome] = []
    try:
        for index in material.indices:
            share = _share(end, len(material.indices) - len(outcomes))
            known = checkpoints.finished(index)
            outcome = known or training.outcome(index, share)
            if known is None:
                checkpoints.keep(outcome)
            if known is not None or not outcome.epochs:  # who watches the trial has to see the whole of it
                tell_all(_tell(job, index, report), outcome.told)
            outcomes.append(outcome)
    except TrialStopped:
        checkpoints.flush()
        raise
    result = result_of(material, outcomes)
    tests = [outcome.test for outcome in outcomes if outcome.test is not None]
    test = np.mean(tests, axis=0) if tests else None
    store(material, result, [o.oof for o in outcomes], test, [o.write for o in outcomes])
    checkpoints.remove()
    return result


def _share(end: float | None, splits_left: int) -> float | None:
    """Return until when the next split may train, so that each of those left has as long."""
    return None if end is None else time.monotonic() + (end - time.monotonic()) / splits_left


class _Training:
    """One configuration, split by split."""

    def __init__(self, material: Material, report: Report, checkpoints: Checkpoints) -> None:
        self._material, self._report, self._checkpoints = material, report, checkpoints
        self.built = _built(material, material.seed(0, "fit"))
        self._fitter = fitter_for(
            self.built,
            material.problem,
            material.settings,
            folds=material.training_rows(),
            rebuild=lambda seed: _built(material, seed),
            checkpoints=checkpoints,
        )

    def outcome(self, index: int, until: float | None) -> Outcome:
        """Train a split until the moment ``until`` of ``time.monotonic()`` at most, and predict."""
        material = self._material
        split = material.split(index, neural=self.built.neural)
        watcher = Watcher(
            material.monitor,
            split.y[split.watch],
            split.weights(split.watch),
            patience=self._fitter.patience,
            tell=_tell(material.job, index, self._report),
            until=until,
        )
        self._checkpoints.begin()
        fitted = self._fitter.fit(split, watcher)
        watcher.check()
        return self._predicted(split, fitted, self._checkpoints.elapsed, watcher)

    def _predicted(self, split: Split, fitted: FittedSplit, fit_s: float, watcher: Watcher) -> Outcome:
        started = time.perf_counter()
        material, prepared = self._material, split.prepared
        oof = _prediction(material, split, fitted, prepared.table.take(split.validate))
        test = None if prepared.test is None else _prediction(material, split, fitted, prepared.test)
        return Outcome(
            index=split.index,
            oof=oof,
            test=test,
            score=material.metric(split.y[split.validate], oof, split.weights(split.validate)),
            best_epoch=fitted.best_epoch,
            epochs=fitted.epochs,
            fit_s=fit_s,
            predict_s=time.perf_counter() - started,
            truncated=watcher.truncated,
            weights=self._fitter.weights,
            values=self.built.values,
            told=watcher.told if fitted.epochs else self._end(split, oof),
            write=partial(save_bundle, material=material, built=self.built, split=split, model=fitted.model),
        )

    def _end(self, split: Split, oof: NDArray[np.float64]) -> list[Told]:
        """Return what is told of a model without epochs, so that it is compared between splits as others are."""
        rows = split.validate
        value = float(self._material.monitor(split.y[rows], oof, split.weights(rows)))
        return [(1, value, None)] if np.isfinite(value) else []


def _built(material: Material, seed: int) -> Built:
    job = material.job
    family = job.family
    built = build(family, material.problem, HyperParameters(job.values, space=job.space), seed)
    if family.root is not None:  # what is installed is not executed again
        confirm_code(f"factory '{family.name}'", family.factory, family.root, family.code)
    if job.batch_scale == 1.0:
        return built
    batch = int((built.recipe.batch_size or job.settings.batch_size) * job.batch_scale)
    return replace(built, recipe=replace(built.recipe, batch_size=max(1, batch)))


def _tell(job: Job, split: int, report: Report) -> Tell:
    def tell(epoch: int, value: float, loss: float | None) -> bool:
        return report(Reported(job_id=job.job_id, split=split, epoch=epoch, value=value, loss=loss))

    return tell


def _prediction(material: Material, split: Split, fitted: FittedSplit, prepared: Prepared) -> NDArray[np.float64]:
    rows = prepared.numeric.shape[0]
    return in_units(fitted.model.predict(prepared), rows, split.target, material.problem)
