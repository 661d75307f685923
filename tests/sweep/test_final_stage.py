"""A blend's members, refitted on all rows and delivered in place of their folds' models."""

import numpy as np
import pandas as pd
import pytest

from tests.sweep.conftest import make_experiment
from workbench.blend_stage import blend_trials
from workbench.data.folds import FoldPlan
from workbench.delivery.export import stage_blend
from workbench.delivery.frozen_blend import FrozenBlend, write_folder_files
from workbench.delivery_stage import Delivery
from workbench.experiment import Experiment
from workbench.final_stage import final_epochs, refit
from workbench.search.progress import Silent
from workbench.search_budget import resolve_budget
from workbench.search_stage import open_search
from workbench.workspace import open_workspace

YAML = """\
name: final
data: {train: train.csv, test: test.csv, target: y, id: id}
metric: log_loss
families: [lightgbm, "factories:nearest", "factories:small"]
folds: {splits: 3}
search: {trials: 1}
ensemble: {method: mean, final: {seeds: 2}}
training: {rounds: 30, rounds_patience: 5, workers: 1, executor: inline}
"""
FACTORIES = """\
from sklearn.neighbors import KNeighborsClassifier


class Small(KNeighborsClassifier):
    def fit(self, X, y):
        if len(X) > 120:
            raise ValueError("too many rows for me")
        return super().fit(X, y)


def nearest(hp):
    return KNeighborsClassifier(1)


def small(hp):
    return Small(5)
"""


class Heard(Silent):
    """An observer that remembers."""

    def __init__(self):
        self.phases, self.notices = [], []

    def phase(self, text):
        self.phases.append(text)

    def notice(self, text):
        self.notices.append(text)


def plan_of(splits, kind="kfold", repeats=1):
    """Return a plan of which only the number of splits counts."""
    assignment = np.ones((splits * repeats, 4), dtype=np.int8)
    assignment[:, 0] = 2
    return FoldPlan(assignment, kind, repeats)


@pytest.mark.parametrize(
    ("best", "plan", "expected"),
    [
        ([30, 40, 50, 41, 39], plan_of(5), 50),
        ([30, 40, 50, 41, 39] * 2, plan_of(5, repeats=2), 50),
        ([10, 11], plan_of(2), 21),
        ([10, 11], plan_of(2, "time"), 11),
        ([7], plan_of(1, "column"), 7),
        ([], plan_of(5), None),
    ],
)
def test_more_rows_carry_as_many_more_epochs(best, plan, expected):
    assert final_epochs(best, plan) == expected


def test_members_are_refitted_once_and_delivered(tmp_path):
    folder, heard = make_experiment(tmp_path / "final", YAML), Heard()
    (folder / "factories.py").write_text(FACTORIES)
    with open_workspace(Experiment.from_folder(folder)) as workspace:
        with open_search(workspace, resolve_budget(workspace, None, 0, None), heard) as search:
            search.run(workspace.ledger.open_sweep("final"))
        blended = blend_trials(workspace)
        refits = refit(workspace, [blended], heard)
        by_trial = {found.trial: found for found in refits.of.values()}
        boosted, nearest, small = (by_trial[f"{name}#0000"] for name in ("lightgbm", "nearest", "small"))
        assert boosted.epochs == final_epochs(
            workspace.vault.result(blended_key(blended, "lightgbm")).best_epochs, workspace.plan
        )
        assert (boosted.seeds, nearest.seeds, nearest.epochs) == (2, 2, None)
        assert workspace.vault.result(boosted.fit_key).epochs == (boosted.epochs,) * 2

        assert not small.fit_key
        assert "too many rows for me" in small.failure
        assert heard.notices == [f"small#0000 is not refitted on all rows, it counts as it is: {small.failure}"]
        assert heard.phases[-1] == "refitting 3 members of the blend on all rows, 2 seeds each"
        delivered = refits.applied(blended)
        keys = [member.fit_key for member in delivered.members]
        assert sorted(keys) == sorted([boosted.fit_key, nearest.fit_key, blended_key(blended, "small")])

        heard.phases.clear()
        assert refit(workspace, [blended], heard) == refits
        assert heard.phases == ["refitting 1 member of the blend on all rows, 2 seeds each"]

        alone = blended.model_copy(update={"members": tuple(m for m in blended.members if m.family == "small")})
        assert refits.among(blended) == refits
        assert refits.among(alone).note == ""
        lost = next(member for member in blended.members if member.family == "nearest")
        workspace.vault.keep_bundles([], [lost.fit_key])
        assert Delivery(workspace, tmp_path).exportable(blended) is blended  # it has models, refitted ones

        rows = Delivery(workspace, tmp_path).leaderboard(blended, refits=refits)
        assert [row.note for row in rows if row.family == "blend"] == ["2 of 3 members refitted on all rows"]
        about = stage_blend(tmp_path / "out", delivered, "final", workspace.vault, 3, folder, refits.seeds)
        write_folder_files(tmp_path / "out", about, workspace.dataset.schema, Delivery(workspace, tmp_path).layout)
        tests = [workspace.vault.test(key, workspace.dataset.test_key) for key in keys]
    assert {member.trial.family: (member.refitted, member.splits) for member in about.members} == {
        "lightgbm": (True, 2),
        "nearest": (True, 2),
        "small": (False, 3),
    }
    predicted = FrozenBlend.open(tmp_path / "out").predict(pd.read_csv(folder / "test.csv"))
    np.testing.assert_allclose(predicted, delivered.blend.predict(np.stack(tests)), rtol=1e-6)


def blended_key(blended, family):
    """Return the fit key of a family's trial."""
    return next(member.fit_key for member in blended.members if member.family == family)
