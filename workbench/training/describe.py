"""Before a search: is the factory sound, and what can be searched? Known in seconds, not in trial 17."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import FactoryError, TrialFailed
from workbench.metrics import Metric
from workbench.models.hyperparameters import HyperParameters
from workbench.models.own_fit import model_fit
from workbench.models.problem import HEAD, Problem
from workbench.models.space import discover
from workbench.training.build import Built, build
from workbench.training.checkpoints import Checkpoints
from workbench.training.feature_checks import check_features
from workbench.training.fitted import FoldModel
from workbench.training.fitters import fitter_for
from workbench.training.material import Material, Split
from workbench.training.outputs import checked
from workbench.training.user_modules import known_modules
from workbench.training.watcher import Watcher
from workbench.types import Description, FamilyRef

SAMPLE = 256
"""Rows on which an estimator's defaults are tried."""
ROUNDS = 2
OWN_FIT = (
    "it trains by a fit of its own, which chooses batch size and schedule; a split that is interrupted begins anew"
)
MODEL_FIT = (
    "its model trains by a fit of its own, which is told the batch size and chooses the schedule; a split that is "
    "interrupted begins anew"
)


def describe(material: Material) -> Description:
    """Build a factory with its defaults and with values that may reveal more; push a batch through.

    Raises:
        FactoryError: the factory cannot be built, or what it builds does not fit the table; its feature set leaks, or
            cannot be stored.
        TrialFailed: the default model's output has another shape than the task's.
    """
    started = time.perf_counter()
    notices = check_features(material)
    trial = _Trial(material)
    space = discover(trial.probe, given=material.job.space)
    return Description(
        space=space, weights=trial.weights, seconds=time.perf_counter() - started, notices=notices + trial.notices
    )


class _Trial:
    """Checks each build; the first one, with the defaults, is run as well."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._split: Split | None = None
        self.weights = 0
        self.notices: tuple[str, ...] = ()

    def probe(self, hp: HyperParameters) -> None:
        """Build once."""
        material = self._material
        job, seed = material.job, material.seed(0, "fit")
        built = build(job.family, material.problem, hp, seed, job.settings.dtype_policy)
        first = self._split is None
        if self._split is None:
            self._split = next(material.splits(neural=built.neural))
        if built.neural:
            self._check_keras(built, self._split, run=first)
        elif first:
            self._try_estimator(built, self._split)

    def _check_keras(self, built: Built, split: Split, *, run: bool) -> None:
        from workbench.training.keras_feed import feed
        from workbench.training.keras_program import make_predictor
        from workbench.training.keras_state import parameters, prepare, state_of
        from workbench.training.keras_targets import broadcast, output_spec, primary, targets

        problem, rows = self._material.problem, split.train[:SAMPLE]
        x = feed(built.model, split.prepared.table.take(rows))
        y = targets(split.target.forward(split.y[rows]), problem, built.model)
        prepare(built.model, (x, y))
        # By shapes only, as a model may have another output in training.
        outputs = output_spec(built.model, x)
        prediction = primary(built.model, outputs)
        _check_width(tuple(prediction.shape), problem.outputs, problem.task, alone=prediction is outputs)
        if width := broadcast(built.model, outputs, y):
            untrained = "" if prediction is outputs else "; an output that is not to be trained has the loss None"
            raise TrialFailed(
                "shape",
                f"the model has {width} outputs, and its loss compares each of them with the one target; end it with "
                f"problem.head(x), or compile it with the loss 'sparse_categorical_crossentropy'{untrained}",
            )
        if run:
            self.weights = parameters(built.model)
            output = make_predictor(built.model).predict(state_of(built.model).weights, x)
            checked(output, len(rows), problem)
            if built.own_fit is None:
                self.notices = _tried_by_fit(built.model, (x, y))
        if built.own_fit is not None:
            from workbench.training.own_fit_probe import probe_fit

            self.notices = (MODEL_FIT if built.own_fit is model_fit else OWN_FIT,)
            probe_fit(built, _only(split, _sample(split, problem.task != "regression")), problem, run=run)

    def _try_estimator(self, built: Built, split: Split) -> None:
        material = self._material
        job = material.job
        small = _sample(split, material.problem.task != "regression")
        few = job.model_copy(update={"settings": job.settings.model_copy(update={"rounds": ROUNDS})})
        tiny = replace(material, job=few)
        fitter = fitter_for(built, tiny, rebuild=lambda _: built, checkpoints=Checkpoints(tiny))
        watcher = _silent_watcher(material.monitor, split, small)
        tried = _only(split, small)
        try:
            model = fitter.fit_all([tried], [watcher])[0].model
            checked(model.predict(split.prepared.table.take(small)), len(small), material.problem)
        except (ValueError, TypeError) as error:
            raise FactoryError(
                f"{job.family.factory}: the estimator cannot be fitted on this table: {error}"
            ) from error
        if model.kind == "skops":
            _store_and_load(model, job.family, material.problem)


def _tried_by_fit(model: Any, batch: tuple[Any, ...]) -> tuple[str, ...]:
    """Train a batch where the model cannot be a program: what Keras' ``fit`` cannot train either is known at once."""
    from workbench.training.keras_feed import count
    from workbench.training.keras_fit import FitTrainer, traced
    from workbench.training.keras_program import Start
    from workbench.training.keras_state import state_of

    _, reason = traced(model, batch)
    if not reason:
        return ()
    trainer = FitTrainer(model)
    trainer.begin([Start(state_of(model), batch, batch[0])])
    trainer.epoch([np.arange(count(batch), dtype=np.int32)[None]], 1.0, [True])
    return (reason,)


def _store_and_load(model: FoldModel, family: FamilyRef, problem: Problem) -> None:
    """Raise `FactoryError` for an estimator that could be searched, but not delivered."""
    from workbench.training.estimator_path import foreign_packages, load_estimator

    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            model.save(folder)
            load_estimator(folder, problem, known_modules(foreign_packages(folder), family))
    except Exception as error:  # the user's own classes take part in it
        raise FactoryError(
            f"{family.factory}: the fitted estimator cannot be stored and loaded again: {error}; a bundle holds no "
            "pickle, so functions and classes must be named ones of a module"
        ) from error


def _check_width(shape: tuple[int | None, ...], outputs: int, task: str, *, alone: bool) -> None:
    widths = {outputs, 2} if task == "binary" else {outputs}
    if shape and not (len(shape) == 2 and shape[-1] in widths):
        which = "" if alone else f"; of several outputs the prediction is the one called '{HEAD}', else the first"
        raise TrialFailed(
            "shape",
            f"the model's output has shape {shape}, expected (None, {outputs}) for a {task} task; problem.head(x) "
            f"makes the output that fits{which}",
        )


def _only(split: Split, rows: NDArray[np.intp]) -> Split:
    """Return a split of which some rows are all that there is."""
    return replace(split, train=rows, watch=rows, validate=rows)


def _sample(split: Split, stratify: bool) -> NDArray[np.intp]:
    """Return up to `SAMPLE` training rows, the first of every class among them."""
    rows = split.train
    if not stratify:
        return rows[:SAMPLE]
    first = rows[np.unique(split.y[rows], return_index=True)[1]]
    return np.union1d(first, rows[:SAMPLE])


def _silent_watcher(metric: Metric, split: Split, rows: NDArray[np.intp]) -> Watcher:
    return Watcher(metric, split.y[rows], split.weights(rows), patience=ROUNDS, tell=lambda *_: False)
