"""All splits of one configuration: train, predict, score, store."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.errors import TrialStopped
from workbench.metrics import Metric
from workbench.models.hyperparameters import HyperParameters
from workbench.models.identity import confirm_code
from workbench.training import setup_clock
from workbench.training.build import Built, build
from workbench.training.bundle import save_bundle
from workbench.training.checkpoints import Checkpoints
from workbench.training.fitted import FittedSplit
from workbench.training.fitters import known_or_built
from workbench.training.material import Material, Split
from workbench.training.outcome import Outcome, Told
from workbench.training.outputs import in_units
from workbench.training.result import result_of
from workbench.training.storing import store
from workbench.training.watcher import Counter, Tell, Watcher, tell_all
from workbench.types import Reported, TrialResult

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
    known = {index: found for index in material.indices if (found := checkpoints.finished(index)) is not None}
    done: dict[int, Outcome] = {}
    try:
        for index in material.indices:
            if index in known:
                done[index] = known[index]
                tell_all(training.tell(index), known[index].told)  # who watches the trial has to see the whole of it
            elif index not in done:
                left = [i for i in material.indices if i not in done and i not in known]
                for outcome in training.outcomes(left, end):
                    done[outcome.index] = outcome
                    checkpoints.keep(outcome)
    except TrialStopped:
        checkpoints.flush()
        raise
    outcomes = [done[index] for index in material.indices]
    result = training.labelled(result_of(material, outcomes))
    tests = [outcome.test for outcome in outcomes if outcome.test is not None]
    test = np.mean(tests, axis=0) if tests else None
    store(material, result, [o.oof for o in outcomes], test, [o.write for o in outcomes])
    checkpoints.remove()
    return result


def _share(end: float | None, splits: int, left: int) -> float | None:
    """Return until when so many splits may train, so that each of those left has as long."""
    return None if end is None else time.monotonic() + (end - time.monotonic()) * splits / left


class _Training:
    """One configuration, some splits at a time."""

    def __init__(self, material: Material, report: Report, checkpoints: Checkpoints) -> None:
        self._material, self._report, self._checkpoints = material, report, checkpoints
        self.built, self._fitter = known_or_built(material, partial(_built, material), checkpoints)
        self._together = 0

    def outcomes(self, left: Sequence[int], end: float | None) -> Iterator[Outcome]:
        """Train the first of the splits that are left, and as many more as train with it at once, and predict.

        ``end`` is the moment of ``time.monotonic()`` by which all that are left should have been trained.
        """
        first = self._split(left[0])
        if not self._together:
            self._together = self._fitter.together(first, len(left))
        count = min(self._together, len(left))
        splits = [first, *map(self._split, left[1:count])]
        until = _share(end, count, len(left))
        watchers: list[Watcher] = []
        watchers += [self._watcher(split, watchers, until) for split in splits]
        self._checkpoints.begin()
        began = time.perf_counter()
        fitted = self._fitter.fit_all(splits, watchers)
        # Compiling is no training: whether it takes seconds or none depends on what was trained before.
        seconds = (self._checkpoints.elapsed - setup_clock.seconds_after(began)) / count
        for split, model, watcher in zip(splits, fitted, watchers, strict=True):
            watcher.check()
            outcome = self._predicted(split, model, seconds, watcher)
            if not outcome.epochs:
                tell_all(self.tell(split.index), outcome.told)
            yield outcome

    def tell(self, index: int, together: Sequence[Watcher] = ()) -> Tell:
        """Return how a split's epochs are reported, with the watchers of the splits that train at once."""

        def tell(epoch: int, value: float, loss: float | None) -> bool:
            # A split that has stopped reports no more: nobody should wait for it.
            live = sum(watcher.epoch >= epoch or not watcher.done for watcher in together)
            job = self._material.job.job_id
            told = Reported(job_id=job, split=index, epoch=epoch, value=value, loss=loss, together=max(live, 1))
            return self._report(told)

        return tell

    def labelled(self, result: TrialResult) -> TrialResult:
        """Return a result with how its splits were trained, and how long it took to get ready; the fit is over."""
        self._fitter.remember()
        told = {"fused": self._fitter.fused, "unfused": self._fitter.unfused, "setup_s": setup_clock.seconds()}
        return result.model_copy(update=told)

    def _split(self, index: int) -> Split:
        return self._material.split(index, neural=self.built.neural)

    def _watcher(self, split: Split, together: Sequence[Watcher], until: float | None) -> Watcher:
        y, weights = split.y[split.watch], split.weights(split.watch)
        tell, patience = self.tell(split.index, together), self._fitter.patience
        kind = Counter if self._material.settings.stopping == "none" else Watcher
        return kind(self._material.monitor, y, weights, patience=patience, tell=tell, until=until)

    def _predicted(self, split: Split, fitted: FittedSplit, fit_s: float, watcher: Watcher) -> Outcome:
        started = time.perf_counter()
        material, prepared = self._material, split.prepared
        if not len(split.validate):
            oof = np.zeros((0, material.problem.outputs))
        elif fitted.watched is not None and np.array_equal(split.watch, split.validate):
            oof = in_units(fitted.watched, len(split.validate), split.target, material.problem)
        else:
            oof = _prediction(material, split, fitted, prepared.table.take(split.validate))
        test = None if prepared.test is None else _prediction(material, split, fitted, prepared.test)
        return Outcome(
            index=split.index,
            oof=oof,
            test=test,
            score=_score(material.metric, split, oof),
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
        value = _score(self._material.monitor, split, oof)
        return [(1, value, None)] if np.isfinite(value) else []


def _score(metric: Metric, split: Split, oof: NDArray[np.float64]) -> float:
    """Return the score of a split's validation rows; NaN where it has none."""
    rows = split.validate
    return float(metric(split.y[rows], oof, split.weights(rows))) if len(rows) else math.nan


def _built(material: Material, seed: int) -> Built:
    job = material.job
    family = job.family
    hp = HyperParameters(job.values, space=job.space)
    built = build(family, material.problem, hp, seed, job.settings.dtype_policy)
    if family.root is not None:  # what is installed is not executed again
        confirm_code(f"factory '{family.name}'", family.factory, family.root, family.code)
    if job.batch_scale == 1.0:
        return built
    batch = int((built.recipe.batch_size or job.settings.batch_size) * job.batch_scale)
    return replace(built, recipe=replace(built.recipe, batch_size=max(1, batch)))


def _prediction(material: Material, split: Split, fitted: FittedSplit, prepared: Prepared) -> NDArray[np.float64]:
    rows = prepared.numeric.shape[0]
    return in_units(fitted.model.predict(prepared), rows, split.target, material.problem)
