"""Finds what is made of a blend's prediction in the end: a threshold, factors, cut-points, or a range."""

from __future__ import annotations

from workbench.blending.decision import Clip, Decision
from workbench.ensembles.class_factors import find_class_factors
from workbench.ensembles.cut_points import find_cut_points
from workbench.ensembles.members import Members
from workbench.ensembles.thresholds import find_threshold
from workbench.metrics import QWK, Array, ranked_labels


def fit_decision(members: Members, prediction: Array) -> Decision | None:
    """Return the decision that the metric asks for, fitted on a blend's predictions ``(rows, outputs)``.

    Known metrics are maximised on the rows of all splits together, each with the weight ``members.mass``: one
    confusion matrix has cumulative sums, by which every threshold can be tried, and it is less noisy than the ratios
    of many small ones. The score stays the mean over splits; whether the decision betters that, the nested score says.

    Returns:
        ``None`` where the metric asks for none, or the standard rule is as good on these rows.
    """
    rows = members.mass > 0.0
    if not rows.all():
        members, prediction = members.rows_where(rows), prediction[rows]
    metric = members.metric
    if metric.needs == "values":
        return None if members.classification else Clip(low=float(members.y.min()), high=float(members.y.max()))
    if not members.classification or not (metric.needs == "labels" or ranked_labels(metric)):
        return None
    if prediction.shape[1] == 1:
        return find_threshold(members, prediction)
    if metric.function is QWK.function:
        return find_cut_points(members, prediction)
    return find_class_factors(members, prediction)
