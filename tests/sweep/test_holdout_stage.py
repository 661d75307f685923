"""The score on rows set aside, as the delivered sweep has it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

import workbench
from workbench.data.building import load_dataset
from workbench.delivery.frozen_blend import FrozenBlend
from workbench.store.vault import Vault
from workbench.sweep import stored_leaderboard


@pytest.mark.xdist_group("sweep")
def test_the_exported_model_has_the_holdout_score_on_the_rows_set_aside(done):
    config = workbench.Experiment.from_folder(done.folder).config
    dataset, scores = load_dataset(config, done.folder, "probabilities"), done.result.scores
    table = pd.read_csv(done.folder / "train.csv", index_col="id", dtype={"id": str})
    held = table.loc[dataset.holdout_ids.astype(str)].reset_index()
    model = FrozenBlend.open(done.result.paths.model / "artifacts" / "blend")
    predicted = model.predict(held)[:, 0]
    assert scores.holdout_rows == len(held) == 30
    assert scores.holdout == pytest.approx(log_loss(held["y"], predicted), rel=1e-6)

    losses = -np.log(np.where(held["y"] == 1, predicted, 1 - predicted))
    assert scores.holdout_se == pytest.approx(losses.std() / np.sqrt(30), rel=0.25)
    assert np.isfinite([scores.best_single_holdout, scores.holdout_gain_se]).all()
    rows, _ = stored_leaderboard(workbench.Experiment.from_folder(done.folder), per_family=1)
    assert [row.holdout for row in rows if row.family == "blend"] == [scores.holdout]


@pytest.mark.xdist_group("sweep")
def test_no_trial_has_an_out_of_fold_prediction_of_them(done):
    vault = Vault(done.folder / ".workbench" / "vault")
    for member in done.result.members:
        assert sum(len(part) for part in vault.oof(member.fit_key)) == 120
        (test,) = vault.folder(member.fit_key).glob("test-*.npy")
        assert len(np.load(test)) == 60 + 30
