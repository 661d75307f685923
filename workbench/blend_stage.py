"""The blending part of a sweep: which trials of a workspace are members, and the blend of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.blending.result import BlendResult, MemberRef
from workbench.config.models import EnsembleConfig
from workbench.ensembles.blend import BlendSettings, blend
from workbench.ensembles.members import Candidate, Members, gather, joined
from workbench.errors import NothingToDeliver, StoreError
from workbench.metrics import Array
from workbench.seeds import derive_seed
from workbench.types import BASE_FAMILY
from workbench.workspace import Workspace


class Gathered(NamedTuple):
    """Members, and what was left out, each with the reason."""

    members: Members
    left_out: tuple[str, ...]


def gather_members(workspace: Workspace, *, features: bool = False, unbundled: bool = True) -> Gathered:
    """Read the out-of-fold predictions of the trials that the configuration lets blend.

    A trial whose predictions are absent, damaged or not finite is left out and named. The members are canonical.

    Args:
        workspace: Whose trials.
        features: Whether a stack is to look at the table's columns too.
        unbundled: Whether trials are among them that have predictions and no model; see `Workspace.candidates`.

    Raises:
        NothingToDeliver: no trial is complete, or none can be read.
    """
    config = workspace.experiment.config.ensemble
    candidates = workspace.candidates(None if config.members == "all" else config.per_family, unbundled=unbundled)
    if not candidates:
        raise NothingToDeliver(
            "no trial is complete, so there is nothing to blend or submit; run it; if it has run, allow more time, and "
            f"see the failures and {workspace.experiment.store / 'logs'}"
        )
    plan = workspace.plan
    validate = [plan.validate(split) for split in range(plan.splits)]
    readable, left_out = [], list(_absent(workspace, candidates))
    predictions = {}
    for candidate in candidates:
        try:
            predictions[candidate.fit_key] = joined(candidate, workspace.vault.oof(candidate.fit_key), validate)
            readable.append(candidate)
        except StoreError as error:
            left_out.append(f"{candidate.trial} is not blended: {error}")
    if not readable:
        raise NothingToDeliver("no complete trial can be blended: " + "; ".join(left_out))
    members = gather(
        readable,
        predictions.pop,  # held no longer than it takes to put them together
        validate=validate,
        y=workspace.dataset.y,
        weight=workspace.dataset.weight,
        metric=workspace.metric,
        plan_key=plan.key,
        classification=workspace.dataset.schema.task != "regression",
        features=workspace.raw_matrix.matrix(workspace.dataset.features) if features else None,
    )
    return Gathered(members.canonical(), tuple(left_out))  # here, so that nobody holds two copies


def blend_settings(config: EnsembleConfig, seed: int) -> BlendSettings:
    """Return how the configuration wants to blend; ``seed`` is the experiment's."""
    return BlendSettings(
        method=config.method_name,
        options=config.method_options,
        selection=config.members,
        correlated=config.correlated,
        per_class=config.per_class,
        calibration=config.calibration,
        decision=config.decision,
        bagging=config.bagging,
        bags=config.bags,
        seed=derive_seed(seed, "blend"),
    )


def blend_trials(workspace: Workspace, *, unbundled: bool = True) -> BlendResult:
    """Fit the blend that the configuration asks for; see `gather_members`.

    Raises:
        NothingToDeliver: no trial is complete, or none can be read.
        ConfigError: the method cannot be used with this metric or these predictions.
    """
    config = workspace.experiment.config
    settings = blend_settings(config.ensemble, config.seed)
    gathered = gather_members(workspace, features=settings.reads_features, unbundled=unbundled)
    result = blend(gathered.members, settings)
    return result.model_copy(update={"left_out": gathered.left_out})


def predict_test(workspace: Workspace, blended: BlendResult, *, holdout: bool = False) -> Array:
    """Return a blend's predictions of the test table's own rows, or of those set aside, ``(rows, outputs)``.

    From what the vault holds of its members: the mean of their splits' models.

    Raises:
        StoreError: a member has none of these rows.
    """
    members = [member_test(workspace, member, holdout=holdout) for member in blended.members]
    predictions, test = np.stack(members), workspace.dataset.test
    if test is None or not blended.blend.reads_features:
        return blended.blend.predict(predictions)
    return blended.blend.predict(predictions, workspace.raw_matrix.matrix(test)[_test_part(workspace, holdout)])


def member_test(workspace: Workspace, member: MemberRef | Candidate, *, holdout: bool = False) -> Array:
    """Return a trial's predictions of the test table's own rows, or of those set aside, ``(rows, outputs)``.

    Raises:
        StoreError: it has none of these rows: a team member's predictions may lack those that were set aside.
    """
    dataset = workspace.dataset
    predictions: Array = workspace.vault.test(member.fit_key, dataset.test_key)[_test_part(workspace, holdout)]
    if lacking := int((~np.isfinite(predictions)).any(axis=1).sum()):
        which = "rows that were set aside" if holdout else "test rows"
        raise StoreError(f"{member.trial} brought no predictions of {lacking} of {len(predictions)} {which}")
    return predictions


def _test_part(workspace: Workspace, holdout: bool) -> slice:
    asked = workspace.dataset.asked_rows
    return slice(asked, None) if holdout else slice(asked)


def _absent(workspace: Workspace, candidates: Sequence[Candidate]) -> list[str]:
    """Say of each trial that is good enough to be blended, and whose fit is absent or damaged, that it is not."""
    count, loss, vault = workspace.experiment.config.ensemble.per_family, workspace.metric.loss, workspace.vault
    losses: dict[str, list[float]] = {}
    for candidate in candidates:
        losses.setdefault(candidate.family, []).append(loss(candidate.score))
    remedy = f"'workbench doctor {workspace.experiment.root} --repair' says more"
    return [
        f"{trial.name} is not blended: its fit is absent, or was damaged and set aside; {remedy}"
        for trial in workspace.trials()
        if trial.result is not None
        and trial.family != BASE_FAMILY
        and (len(there := losses.get(trial.family, [])) < count or loss(trial.result.score) <= max(there))
        and not vault.folder(trial.result.fit_key).is_dir()
    ]
