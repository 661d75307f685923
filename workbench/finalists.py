"""Two submissions to choose for the last day, from what is stored: `workbench finalists`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from workbench import signals
from workbench.blend_stage import Gathered, blend_settings, gather_members, member_test, predict_test
from workbench.blending.result import BlendResult, MethodScore
from workbench.delivery_stage import Delivery
from workbench.ensembles.finalists import Finalist, propose
from workbench.errors import ConfigError, NothingToDeliver, StoreError
from workbench.experiment import Experiment
from workbench.metrics import Array
from workbench.workspace import Workspace, open_workspace


class Proposal(NamedTuple):
    """The finalists, their submissions, and the scores of all that were compared."""

    finalists: tuple[Finalist, ...]
    files: tuple[Path, ...]
    table: tuple[MethodScore, ...]
    left_out: tuple[str, ...]


@signals.listening()
def propose_finalists(experiment: Experiment, folder: Path | None = None) -> Proposal:
    """Write the best blend's submission, and that of the one that differs most among those nearly as good.

    Args:
        experiment: Whose trials.
        folder: Where they go, as ``1/submission.csv`` and ``2/submission.csv``; ``finalists`` in the store if absent.

    Raises:
        ConfigError: the experiment has no test table.
        NothingToDeliver: no trial is complete, or none has predictions of the test table as it is now.
    """
    if experiment.config.data.test is None:
        raise ConfigError("finalists are submissions, and data.test is not set: name the table to predict")
    folder = folder or experiment.store / "finalists"
    with open_workspace(experiment) as workspace:
        gathered = _that_predict(workspace, gather_members(workspace))

        def predict(blend: BlendResult) -> Array:
            return predict_test(workspace, blend)

        settings = blend_settings(experiment.config.ensemble, experiment.config.seed)
        finalists, table = propose(gathered.members, settings, predict)
        for old in folder.glob("[12]/submission.csv"):  # of an earlier call: there may be but one now
            old.unlink()
        files = []
        for number, finalist in enumerate(finalists, start=1):
            delivery = Delivery(workspace, folder / str(number))
            delivery.folder.mkdir(parents=True, exist_ok=True)
            files.append(delivery.submit(finalist.blend))
    return Proposal(finalists, tuple(file for file in files if file is not None), table, gathered.left_out)


def _that_predict(workspace: Workspace, gathered: Gathered) -> Gathered:
    """Leave out, and name, the members without predictions of the test table as it is now."""
    kept, left_out = [], list(gathered.left_out)
    vault, test_key = workspace.vault, workspace.dataset.test_key
    for place, candidate in enumerate(gathered.members.refs):
        if not vault.has_test(candidate.fit_key, test_key):
            left_out.append(f"{candidate.trial} is not blended: it has no predictions of today's test table")
            continue
        try:
            member_test(workspace, candidate)
            kept.append(place)
        except StoreError as error:
            left_out.append(f"{candidate.trial} is not blended: {error}")
    if not kept:
        raise NothingToDeliver("no trial can be submitted: " + "; ".join(left_out))
    members = gathered.members
    return Gathered(members if len(kept) == len(members) else members.take(kept), tuple(left_out))
