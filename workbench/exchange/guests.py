"""What others gave, in one's own ledger: a study for each author and family, that no engine learns from."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.metrics import Array
from workbench.store.events import TrialStarted
from workbench.types import TrialResult, fingerprint
from workbench.workspace import AUTHOR, Workspace, guest_ground


def guest_label(family: str, author: str) -> str:
    """Return the family of a guest's trials here: ``lightgbm@alice``."""
    return f"{family}@{author}"


def record_guest(workspace: Workspace, started: TrialStarted, result: TrialResult) -> int | None:
    """Write a complete trial of ``started.author`` into the ledger, in the study of ``started.family``.

    Returns:
        Its number: that of ``started`` where it is free. ``None`` where the study has its fit already.
    """
    ledger, experiment, label = workspace.ledger, workspace.experiment.name, started.family
    ground = {**guest_ground(workspace.ground), AUTHOR: started.author}
    study = ledger.open_study(fingerprint("guests", experiment, label, ground), experiment, label, ground)
    return ledger.record(study, started.sweep, started.model_copy(update={"study": study.id}), result)


def split_scores(workspace: Workspace, oof: Sequence[Array]) -> list[float]:
    """Return the metric of each split of the plan; ``oof`` are its validated rows' predictions, ``(rows, outputs)``."""
    plan, dataset = workspace.plan, workspace.dataset
    scores = []
    for split, predicted in enumerate(oof):
        rows = plan.validate(split)
        weight = None if dataset.weight is None else dataset.weight[rows]
        scores.append(workspace.metric(dataset.y[rows], predicted, weight))
    return scores
