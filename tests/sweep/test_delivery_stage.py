"""What is read back from an exported model, and how it is compared with training."""

import numpy as np
import pandas as pd
import pytest

from workbench.delivery.layout import OutputLayout, layout_frame
from workbench.delivery_stage import TOLERANCE, Delivery, difference, read_back
from workbench.experiment import Experiment
from workbench.store.events import TrialFinished
from workbench.store.vault import write_predictions, write_result
from workbench.types import TrialResult
from workbench.workspace import open_workspace


def written(layout, prediction, ids, file):
    frame = layout_frame(prediction, layout, ids)
    frame.to_csv(file, index=False)
    return frame


@pytest.mark.parametrize("classes", [("01", "1"), ("NA", "None"), ("", " x"), ("1.0", "a")])
def test_text_labels_and_ids_come_back_as_they_were(classes, tmp_path):
    layout = OutputLayout(columns=("id", "y"), kind="label", id="id", classes=classes)
    frame = written(layout, np.array([[0.1], [0.9], [0.8]]), ["007", "NA", "x"], tmp_path / "p.csv")
    read = read_back(tmp_path / "p.csv", layout)
    assert read["y"].tolist() == frame["y"].tolist() == [classes[0], classes[1], classes[1]]
    assert read["id"].tolist() == ["007", "NA", "x"]


@pytest.mark.parametrize("classes", [(0, 1), (False, True)])
def test_labels_that_are_no_text_keep_their_type(classes, tmp_path):
    layout = OutputLayout(columns=("id", "y"), kind="label", id="id", classes=classes)
    frame = written(layout, np.array([[0.1], [0.9]]), [1, 2], tmp_path / "p.csv")
    assert read_back(tmp_path / "p.csv", layout)["y"].dtype == frame["y"].dtype


def test_values_come_back_and_gaps_stay_gaps(tmp_path):
    values = np.append(np.random.default_rng(0).normal(size=500) ** 9, np.nan)
    layout = OutputLayout(columns=("id", "y"), kind="value", id="id")
    written(layout, values[:, None], None, tmp_path / "p.csv")
    np.testing.assert_allclose(read_back(tmp_path / "p.csv", layout)["y"].to_numpy(), values, rtol=1e-14)


def test_a_value_near_0_may_differ_by_what_float32_gives():
    right = np.array([1e-9, -3.0, 200.0])
    assert difference(right + 1e-5, right) <= TOLERANCE
    assert difference(right[::-1], right) > TOLERANCE
    assert not difference(np.full(3, np.nan), right) <= TOLERANCE
    assert difference(np.zeros(2), np.zeros(2)) == 0.0
    assert difference(pd.Series([0.5, 0.501]).to_numpy(), np.array([0.5, 0.5])) > TOLERANCE


def stored_trial(workspace, sweep, key, score):
    """Put a complete trial into the ledger, and its fit into the vault."""
    ledger, (study,) = workspace.ledger, workspace.studies
    claim = ledger.claim(study, sweep, 10)
    names = {"sweep": sweep, "study": study.id, "trial": claim.trial, "attempt": claim.attempt}
    result = TrialResult(score=score, score_se=0.1, scores=(score, score), values={}, fit_key=key)
    validated = [workspace.plan.validate(split) for split in range(workspace.plan.splits)]
    with workspace.vault.writing(key) as folder:
        write_predictions(folder, [workspace.dataset.y[rows, None] + score for rows in validated], None, "")
        write_result(folder, result)
        (folder / "split0").mkdir()
        (folder / "split0" / "bundle.json").write_text("{}")
    event = TrialFinished(**names, family=study.family, number=claim.number, state="complete", result=result)
    ledger.finish(claim, event)


@pytest.mark.parametrize("file", ["oof.npz", "result.json", "split0/bundle.json"])
def test_a_member_whose_file_is_damaged_is_left_out_by_name(file, tmp_path):
    rows = pd.DataFrame({"a": range(20), "y": np.arange(20.0) ** 2})
    settings = {"families": ["linear"], "folds": {"splits": 2}, "root": tmp_path}
    with open_workspace(Experiment(rows, target="y", metric="rmse", **settings)) as workspace:
        delivery, sweep = Delivery(workspace, tmp_path), workspace.ledger.open_sweep("e")
        for key, score in (("aa01", 1.0), ("bb02", 2.0), ("cc03", 3.0)):
            stored_trial(workspace, sweep, key, score)
        assert delivery.blend().left_out == ()
        (workspace.vault.folder("aa01") / file).write_bytes(b"torn")
        blended = delivery.blend()
        (line,) = blended.left_out
        assert line.startswith("linear#0000 is not blended: its fit is absent, or was damaged and set aside;")
        assert {member.trial for member in blended.members} <= {"linear#0001", "linear#0002"}
