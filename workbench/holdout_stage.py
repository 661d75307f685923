"""The last part of a sweep's scores: the blend on the rows that were set aside, looked at once, when all is chosen."""

from __future__ import annotations

import numpy as np

from workbench.blend_stage import member_test, predict_test
from workbench.blending.holdout import HoldoutScores
from workbench.blending.result import BlendResult
from workbench.ensembles.bootstrap import bootstrap
from workbench.ensembles.members import Members
from workbench.errors import FactoryError, StoreError
from workbench.metrics import Array
from workbench.workspace import Workspace


def holdout_score(workspace: Workspace, blended: BlendResult) -> HoldoutScores | None:
    """Score a blend on the rows set aside, beside the trial that is the best out-of-fold.

    Returns:
        ``None`` without rows set aside, and where the vault lacks a member's predictions of them, as when the test
        table is newer than the fits.
    """
    if workspace.dataset.holdout_y is None:
        return None
    try:
        return _scored(workspace, *_predicted(workspace, blended))
    except StoreError:
        return None


def unscored(workspace: Workspace, blended: BlendResult) -> tuple[str, ...]:
    """Say that rows were set aside and could not be scored, and why."""
    if blended.holdout is not None or workspace.dataset.holdout_y is None:
        return ()
    why = "the vault lacks predictions of it, as where the test table is newer than the trials"
    try:
        _predicted(workspace, blended)
    except StoreError as error:
        why = why if error.__cause__ else str(error)
    return (f"the holdout is not scored: {why}",)


def _predicted(workspace: Workspace, blended: BlendResult) -> tuple[Array, Array]:
    """Return predictions ``(rows, outputs)`` of the rows set aside: the blend's, and those of the best single trial.

    Raises:
        StoreError: a trial has none.
    """
    loss, candidates = workspace.metric.loss, workspace.candidates(1, unbundled=True)
    best = min(candidates, key=lambda candidate: (loss(candidate.score), candidate.trial))
    return predict_test(workspace, blended, holdout=True), member_test(workspace, best, holdout=True)


def _scored(workspace: Workspace, blend: Array, single: Array) -> HoldoutScores:
    dataset = workspace.dataset
    rows = Members(
        refs=(),
        predictions=np.stack([blend, single]),
        y=dataset.y[:0] if dataset.holdout_y is None else dataset.holdout_y,
        weight=dataset.holdout_weight,
        split=np.zeros(len(blend), dtype=np.intp),
        row=np.arange(len(blend)),
        metric=workspace.metric,
        plan_key="",
    )
    score_se, gain_se = _errors(rows, [blend, single])
    return HoldoutScores(
        holdout=rows.score(blend),
        holdout_se=score_se,
        best_single_holdout=rows.score(single),
        holdout_gain_se=gain_se,
        holdout_rows=len(blend),
    )


def _errors(rows: Members, predictions: list[Array]) -> tuple[float, float]:
    """Return the standard errors of the first prediction's score, and of its difference from the second's.

    NaN where a metric of the user's own cannot score some sample, such as one of a single class.
    """
    try:
        samples = bootstrap(rows, predictions)
    except FactoryError:
        return float("nan"), float("nan")
    known = samples[np.isfinite(samples).all(axis=1)]
    if len(known) < 2:
        return float("nan"), float("nan")
    return float(known[:, 0].std(ddof=1)), float((known[:, 0] - known[:, 1]).std(ddof=1))
