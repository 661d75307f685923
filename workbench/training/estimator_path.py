"""scikit-learn estimators that have no rounds: fitted once a split."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from workbench.data.preparation import Prepared
from workbench.errors import FactoryError
from workbench.models.problem import Problem
from workbench.training.build import Built, seeded
from workbench.training.fitted import FittedSplit, OneByOne
from workbench.training.forest_path import as_arrays, is_forest
from workbench.training.material import Split
from workbench.training.watcher import Watcher
from workbench.types import TrainingSettings

FILE = "model.skops"
TRUSTED = frozenset(
    {"sklearn", "numpy", "scipy", "builtins", "collections", "functools", "lightgbm", "xgboost", "workbench"}
)
"""Packages whose types are loaded without being asked for."""


class EstimatorFitter(OneByOne):
    """Fits a copy of one estimator on each split."""

    weights = 0
    patience = 1

    def __init__(self, built: Built, problem: Problem, settings: TrainingSettings) -> None:
        """Take an unfitted estimator."""
        self._recipe, self._problem, self._threads = built.recipe, problem, settings.threads

    def fit(self, split: Split, watcher: Watcher) -> FittedSplit:  # noqa: ARG002 - there is no round to report
        """Fit on the split's training rows."""
        estimator = seeded_copy(self._recipe.model, split.seed, self._threads)
        rows = split.train
        weight = self._recipe.row_weights(split.y, split.weight, split.train)
        options = {} if weight is None else _weights_option(estimator, weight[rows])
        with seeded(split.seed), warnings.catch_warnings():
            # A search goes to the ends of ranges, where a solver may need more steps than it has; the score tells.
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(split.prepared.table.take(rows).matrix(), split.target.forward(split.y)[rows], **options)
        if is_forest(estimator):
            return FittedSplit(as_arrays(estimator, self._problem))
        return FittedSplit(EstimatorFoldModel(estimator, self._problem))


class EstimatorFoldModel:
    """A fitted estimator."""

    kind = "skops"

    def __init__(self, estimator: Any, problem: Problem) -> None:
        """Take an estimator that was fitted on class codes or values."""
        self._estimator, self._problem = estimator, problem

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return ``(rows, outputs)`` in the units of the training."""
        matrix = prepared.matrix()
        if self._problem.task == "regression":
            return np.asarray(self._estimator.predict(matrix), dtype=np.float64).reshape(len(matrix), -1)
        return self._probabilities(matrix)

    def save(self, folder: Path) -> None:
        """Write ``model.skops``, compressed: an ensemble of trees is a quarter as large, and read in half the time."""
        import skops.io

        skops.io.dump(self._estimator, folder / FILE, compression=zipfile.ZIP_DEFLATED, compresslevel=1)

    def _probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a column a class; a class that a fold did not see has probability 0."""
        if not hasattr(self._estimator, "predict_proba"):
            raise FactoryError(
                f"{type(self._estimator).__name__} has no predict_proba; wrap it in CalibratedClassifierCV, or choose "
                "an estimator that predicts probabilities"
            )
        known = np.asarray(self._estimator.predict_proba(matrix), dtype=np.float64)
        full = np.zeros((len(matrix), max(2, len(self._problem.classes))))
        full[:, np.asarray(self._estimator.classes_, dtype=np.int64)] = known
        return full[:, 1:] if self._problem.task == "binary" else full


def seeded_copy(estimator: Any, seed: int, threads: int) -> Any:
    """Return an unfitted copy whose open ``random_state`` parameters are the seed, and whose threads are ours."""
    copy = clone(estimator)
    for name, value in copy.get_params(deep=True).items():
        leaf = name.rpartition("__")[2]
        if leaf == "random_state" and value is None:
            copy.set_params(**{name: seed})
        elif leaf == "n_jobs" and value is None and threads > 0:
            copy.set_params(**{name: threads})
    return copy


def foreign_packages(folder: Path) -> tuple[str, ...]:
    """Name the packages of a stored estimator's types, on whatever level of it, that are not trusted as such."""
    import skops.io

    names = skops.io.get_untrusted_types(file=folder / FILE)
    return tuple(sorted({name.partition(".")[0] for name in names} - TRUSTED))


def load_estimator(folder: Path, problem: Problem, modules: tuple[str, ...]) -> EstimatorFoldModel:
    """Load what `EstimatorFoldModel.save` wrote; types are trusted by the package that they come from.

    Args:
        folder: where it was written.
        problem: what the estimator was fitted for.
        modules: packages and modules to trust besides `TRUSTED`.

    Raises:
        FactoryError: the file names types of packages that are not trusted.
    """
    import skops.io

    file = folder / FILE
    types = skops.io.get_untrusted_types(file=file)
    unknown = [name for name in types if name.partition(".")[0] not in {*TRUSTED, *modules}]
    if unknown:
        raise FactoryError(
            f"{file.name} holds types that are not trusted: {', '.join(unknown)}; expected types of scikit-learn, "
            "LightGBM, XGBoost, or of the factory's own folder"
        )
    return EstimatorFoldModel(skops.io.load(file, trusted=types), problem)


def _weights_option(estimator: Any, weight: NDArray[np.float64]) -> dict[str, Any]:
    name = "sample_weight"
    last = estimator
    while isinstance(last, Pipeline):
        step, last = last.steps[-1]
        name = f"{step}__{name}"
    if not has_fit_parameter(last, "sample_weight"):
        raise FactoryError(
            f"{type(last).__name__}.fit takes no sample_weight, but rows have weights; remove data.weight and the "
            "recipe's sample_weight, or choose another estimator"
        )
    return {name: weight}
