"""Metrics: a function and its direction, together.

A prediction is always an array of shape ``(rows, outputs)``: the value for regression, the probability of the positive
class for a binary task (one output), a probability per class for a multiclass task. A metric's function gets what it
`needs`: ``values`` and binary ``probabilities`` as ``(rows,)``, multiclass ``probabilities`` as ``(rows, classes)``,
``labels`` as class codes ``(rows,)``. ``y`` is ``(rows,)``: values, or class codes in the order of ``Problem.classes``.

The functions are NumPy alone: blends call them thousands of times. What a split does not define (one class, a constant)
has the value that scikit-learn gives it.
"""

from workbench.metrics.classes import ACCURACY, BALANCED_ACCURACY, F1, F1_MACRO, MCC, QWK
from workbench.metrics.loading import load_metric, monitored
from workbench.metrics.metric import Array, Metric, MetricFunction, as_needed, labels
from workbench.metrics.objective import Objective, objective
from workbench.metrics.probabilities import AUC, AVERAGE_PRECISION, LOG_LOSS, map_at, ranked_labels
from workbench.metrics.values import MAE, MAPE, MEDAE, R2, RMSE, RMSLE, SMAPE, pinball

__all__ = [
    "Array",
    "Metric",
    "MetricFunction",
    "Objective",
    "as_needed",
    "labels",
    "load_metric",
    "monitored",
    "objective",
    "ACCURACY",
    "AUC",
    "AVERAGE_PRECISION",
    "BALANCED_ACCURACY",
    "F1",
    "F1_MACRO",
    "LOG_LOSS",
    "MAE",
    "MAPE",
    "MCC",
    "MEDAE",
    "QWK",
    "R2",
    "RMSE",
    "RMSLE",
    "SMAPE",
    "map_at",
    "pinball",
    "ranked_labels",
]
