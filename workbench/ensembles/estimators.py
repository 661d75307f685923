"""Blends as scikit-learn estimators: out-of-fold predictions in, a fitted blend out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from workbench.blending.result import BlendResult
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.members import Candidate, Members
from workbench.errors import ConfigError
from workbench.metrics import Metric, labels, load_metric
from workbench.types import MetricRef

Array = NDArray[Any]
Predictions = Mapping[str, Array] | Array
"""By name ``(rows,)`` or ``(rows, classes)``; or one array ``(rows, members)`` or ``(rows, members, classes)``."""

FOLDS = 5


class _Blend(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both share: parameters are those of `BlendSettings`."""

    result_: BlendResult
    usual_metric: ClassVar[str]
    """Where none is named."""

    def __init__(
        self,
        metric: str | Metric | None = None,
        method: str = "auto",
        options: Mapping[str, Any] | None = None,
        selection: str = "best",
        per_class: bool = False,
        calibration: str = "none",
        decision: str = "auto",
        bagging: str = "none",
        bags: int = 10,
        random_state: int = 0,
    ) -> None:
        self.metric = metric
        self.method = method
        self.options = options
        self.selection = selection
        self.per_class = per_class
        self.calibration = calibration
        self.decision = decision
        self.bagging = bagging
        self.bags = bags
        self.random_state = random_state

    @property
    def weights_(self) -> dict[str, float]:
        """How much each member counts, heaviest first; those that do not count are absent."""
        check_is_fitted(self, "result_")
        return {self.names_[member.number]: member.weight for member in self.result_.members}

    @property
    def nested_(self) -> float:
        """The score on rows that weights and decisions were not fitted on."""
        check_is_fitted(self, "result_")
        return self.result_.nested

    @property
    def in_sample_(self) -> float:
        """The score on the rows that everything was fitted on: optimistic."""
        check_is_fitted(self, "result_")
        return self.result_.in_sample

    def _fit(self, X: Predictions, codes: Array, classes: int, folds: Any, weight: Any) -> Self:
        names, predictions = _stacked(X, classes)
        asked = self.usual_metric if self.metric is None else self.metric
        metric = asked if isinstance(asked, Metric) else load_metric(MetricRef(name=asked))
        codes = np.asarray(codes)
        rows, split = _folds(codes, folds, self.random_state, classes=classes)
        if predictions.shape[1] != len(codes):
            raise ConfigError(f"the predictions have {predictions.shape[1]} rows, y has {len(codes)}")
        _finite(names, predictions)
        if classes:
            _probabilities(names, predictions)
        if split[0] == split[-1]:
            raise ConfigError("folds has one value alone: weights are scored on folds that they were not fitted on")
        members = Members(
            refs=tuple(Candidate("member", i, name, "", np.nan, np.nan) for i, name in enumerate(names)),
            predictions=predictions[:, rows],
            y=codes[rows],
            weight=None if weight is None else np.asarray(weight, dtype=np.float64)[rows],
            split=split,
            row=rows,
            metric=metric,
            plan_key="",
            classification=classes > 0,
        )
        settings = BlendSettings(
            method=self.method,
            options=dict(self.options or {}),
            selection=self.selection,  # type: ignore[arg-type]  # checked where it is used
            per_class=self.per_class,
            calibration=self.calibration,  # type: ignore[arg-type]
            decision=self.decision,  # type: ignore[arg-type]
            bagging=self.bagging,  # type: ignore[arg-type]
            bags=self.bags,
            seed=self.random_state,
        )
        self.names_, self.result_ = names, blend(members, settings)
        return self

    def _predict(self, X: Predictions, classes: int) -> Array:
        check_is_fitted(self, "result_")
        names, predictions = _stacked(X, classes)
        if isinstance(X, Mapping) or hasattr(X, "columns"):
            absent = [name for name in self.weights_ if name not in names]
            if absent:
                raise ConfigError(f"predictions of {', '.join(absent)} are lacking; received {', '.join(names)}")
            order = [names.index(self.names_[member.number]) for member in self.result_.members]
        elif len(names) != len(self.names_):
            raise ConfigError(f"expected {len(self.names_)} members as in fit, received {len(names)}")
        else:
            order = [member.number for member in self.result_.members]
        return self.result_.blend.predict(predictions[order])


class BlendClassifier(ClassifierMixin, _Blend):  # type: ignore[misc]
    """Blend probabilities.

    Args:
        metric: Name of a metric, or a `workbench.Metric`; ``log_loss`` if absent.
        method: An ensemble method's name, or ``auto``.
        options: The method's own options.
        selection: ``best`` (all that are given), ``forward`` or ``uncorrelated``.
        per_class: Weights of each class' own.
        calibration: ``none``, ``temperature`` or ``isotonic``.
        decision: ``auto`` or ``none``: thresholds and the like, as the metric asks for.
        bagging: ``none``, ``seeds``, ``rows`` or ``folds``.
        bags: How many.
        random_state: Seed of what is random.

    After `fit` there are ``weights_``, ``nested_``, ``in_sample_``, ``classes_`` and ``result_``.
    """

    usual_metric = "log_loss"

    def fit(self, X: Predictions, y: Any, *, folds: Any = None, sample_weight: Any = None) -> Self:
        """Fit on out-of-fold predictions.

        Args:
            X: By name the probability of the second class ``(rows,)``, or those of all classes ``(rows, classes)`` in
                sorted order; or one array ``(rows, members)`` or ``(rows, members, classes)``.
            y: Labels ``(rows,)``.
            folds: Number of the fold that predicted each row ``(rows,)``; random ones if absent, as any parting of the
                rows is good for scoring weights. Scores are means over them.
            sample_weight: ``(rows,)``.

        Raises:
            ConfigError: shapes, names or options do not fit, or a member's predictions are not finite.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ConfigError(f"y holds one class alone: {self.classes_.tolist()}")
        return self._fit(X, codes, len(self.classes_), folds, sample_weight)

    def predict_proba(self, X: Predictions) -> Array:
        """Return probabilities ``(rows, classes)``; a decision has bent them so that it is their argmax."""
        check_is_fitted(self, "result_")
        predicted = self._predict(X, len(self.classes_))
        return np.column_stack([1.0 - predicted, predicted]) if predicted.shape[1] == 1 else predicted

    def predict(self, X: Predictions) -> Array:
        """Return labels ``(rows,)``."""
        check_is_fitted(self, "result_")
        chosen: Array = self.classes_[labels(self._predict(X, len(self.classes_)))]
        return chosen


class BlendRegressor(RegressorMixin, _Blend):  # type: ignore[misc]
    """Blend values; the arguments are those of `BlendClassifier`, and ``rmse`` is the metric if none is named.

    After `fit` there are ``weights_``, ``nested_``, ``in_sample_`` and ``result_``.
    """

    usual_metric = "rmse"

    def fit(self, X: Predictions, y: Any, *, folds: Any = None, sample_weight: Any = None) -> Self:
        """Fit on out-of-fold predictions: by name ``(rows,)``, or one array ``(rows, members)``.

        ``y``, ``folds`` and ``sample_weight`` are ``(rows,)``, the last two may be absent; see `BlendClassifier.fit`.

        Raises:
            ConfigError: shapes, names or options do not fit, or a member's predictions are not finite.
        """
        values = np.asarray(y, dtype=np.float64)
        return self._fit(X, values, 0, folds, sample_weight)

    def predict(self, X: Predictions) -> Array:
        """Return values ``(rows,)``."""
        values: Array = self._predict(X, 0)[:, 0]
        return values


def _stacked(X: Predictions, classes: int) -> tuple[list[str], Array]:
    """Return the members' names, and predictions ``(members, rows, outputs)``."""
    if isinstance(X, Mapping) or hasattr(X, "columns"):  # or a DataFrame, a column a member
        names, parts = [str(name) for name in X], [np.asarray(X[name]) for name in X]
    else:
        table = np.asarray(X)
        if table.ndim not in (2, 3):
            raise ConfigError(f"expected predictions (rows, members) or (rows, members, classes), got {table.shape}")
        names, parts = [str(i) for i in range(table.shape[1])], [table[:, i] for i in range(table.shape[1])]
    if not parts:
        raise ConfigError("there is no member to blend")
    columns = [_columns(name, part, classes) for name, part in zip(names, parts, strict=True)]
    lengths = {name: len(part) for name, part in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ConfigError(f"members have different numbers of rows: {lengths}")
    return names, np.stack(columns).astype(np.float64, copy=False)


def _columns(name: str, part: Array, classes: int) -> Array:
    """Return one member's predictions as ``(rows, outputs)``."""
    part = part[:, None] if part.ndim == 1 else part
    if classes == 2 and part.ndim == 2 and part.shape[1] == 2:
        return part[:, 1:]
    expected = classes if classes > 2 else 1
    if part.ndim != 2 or part.shape[1] != expected:
        raise ConfigError(f"member '{name}': expected {expected} column{'s' * (expected > 1)}, got shape {part.shape}")
    return part


def _finite(names: list[str], predictions: Array) -> None:
    for name, prediction in zip(names, predictions, strict=True):
        wrong = int((~np.isfinite(prediction)).sum())
        if wrong:
            raise ConfigError(f"member '{name}' holds {wrong} predictions that are not finite; leave it out")


def _probabilities(names: list[str], predictions: Array) -> None:
    for name, prediction in zip(names, predictions, strict=True):
        wrong = int(((prediction < 0.0) | (prediction > 1.0)).sum())
        if wrong:
            raise ConfigError(f"member '{name}' holds {wrong} values outside 0 to 1; expected probabilities")


def _folds(codes: Array, folds: Any, seed: int, *, classes: int) -> tuple[Array, Array]:
    """Return the order of the rows by fold, and each one's fold in that order."""
    if folds is None:
        counts = np.bincount(codes.astype(np.int64)) if classes else np.array([FOLDS])
        splits = int(np.clip(counts[counts > 0].min(), 2, FOLDS))
        kind = StratifiedKFold if classes and counts[counts > 0].min() >= 2 else KFold
        plan = kind(splits, shuffle=True, random_state=seed).split(codes, codes)
        folds = np.empty(len(codes), dtype=np.int64)
        for number, (_, held) in enumerate(plan):
            folds[held] = number
    folds = np.unique(np.asarray(folds), return_inverse=True)[1]
    if len(folds) != len(codes):
        raise ConfigError(f"folds has {len(folds)} entries, y has {len(codes)}")
    order = np.argsort(folds, kind="stable")
    return order, folds[order]
