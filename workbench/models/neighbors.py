"""Nearest neighbours that stay small and sure of nothing. Imports scikit-learn: import it inside a factory only."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier


class SampledNeighbors(BaseEstimator):  # type: ignore[misc]
    """Fits ``estimator``, scikit-learn's neighbours, on at most ``rows`` rows, in float32.

    Neighbours keep their training rows: predictions and bundles grow with them. A class of which no row was drawn gets
    its first one in addition. Probabilities are smoothed as if the prior were one further neighbour (the m-estimate of
    Cestnik, 1990, with m = 1): a class that no neighbour has is improbable, and not impossible, for which log loss
    would fine without limit.
    """

    def __init__(self, estimator: Any, rows: int, random_state: int | None = None) -> None:
        self.estimator, self.rows, self.random_state = estimator, rows, random_state

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> Self:
        """Fit a copy of the estimator on rows of ``X`` ``(rows, columns)`` and ``y`` ``(rows,)``.

        Rows with weights are drawn with replacement, in proportion to them: twice the weight is twice the row.
        """
        chosen = self._drawn(y, sample_weight)
        neighbors = min(self.estimator.n_neighbors, len(chosen))
        self.estimator_ = clone(self.estimator).set_params(n_neighbors=neighbors)
        self.estimator_.fit(X[chosen].astype(np.float32), y[chosen])
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
            self.prior_ = np.unique(y[chosen], return_counts=True)[1] / len(chosen)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the estimator's predictions ``(rows,)``."""
        return np.asarray(self.estimator_.predict(X.astype(np.float32)))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return smoothed probabilities ``(rows, classes)``."""
        neighbors = self.estimator_.n_neighbors
        shares = self.estimator_.predict_proba(X.astype(np.float32))
        return np.asarray((neighbors * shares + self.prior_) / (neighbors + 1))

    def _drawn(self, y: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[np.intp]:
        rng, rows = np.random.default_rng(self.random_state), len(y)
        if weight is None and rows <= self.rows:
            return np.arange(rows)
        if weight is None:
            drawn = rng.permutation(rows)[: self.rows]
        else:
            drawn = rng.choice(rows, min(rows, self.rows), p=weight / weight.sum())
        if is_classifier(self.estimator):
            drawn = np.concatenate([drawn, _first_of_absent(y, drawn, weight)])
        return np.sort(drawn)


def _first_of_absent(y: NDArray[Any], drawn: NDArray[np.intp], weight: NDArray[Any] | None) -> NDArray[np.intp]:
    """Return the first row that counts of each class without a drawn row."""
    counting = np.arange(len(y)) if weight is None else np.flatnonzero(weight > 0.0)
    classes, first = np.unique(y[counting], return_index=True)
    return counting[first[~np.isin(classes, y[drawn])]]
