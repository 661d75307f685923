"""Trials from one member of a team to another."""

import shutil

import numpy as np
import pytest
from rich.console import Console

from tests.exchange.tampering import Tampered
from workbench.data.schema import conform
from workbench.delivery_stage import Delivery
from workbench.errors import ConfigError, DataError, NothingToDeliver
from workbench.exchange.author import author_name
from workbench.exchange.report import show_merged, show_packed
from workbench.store.events import TrialFinished, TrialStarted
from workbench.tracking.trial_data import started_tags
from workbench.training.bundle import load_predictor

NAMES = ["ridge@alice#0001", "ridge@alice#0000", "lightgbm@alice#0000"]


def test_the_best_are_packed_without_the_base_and_the_same_trials_are_the_same_bytes(alice, packed, tmp_path):
    again = alice.pack(tmp_path / "again.wbz")
    assert again.file.read_bytes() == packed.read_bytes()
    trials = again.manifest.trials
    assert [trial.name for trial in trials] == ["ridge#0001", "ridge#0000", "lightgbm#0000"]
    assert [file.path for file in again.manifest.code] == ["0/factories.py", "0/helpers.py"]
    assert str(alice.folder) not in again.manifest.model_dump_json()
    small = alice.pack(tmp_path / "small.wbz", top=1, bundles=False)
    assert [trial.name for trial in small.manifest.trials] == ["ridge#0001"]
    assert not small.manifest.code
    assert small.size < again.size / 4
    console = Console(record=True, width=200)
    show_packed(console, again)
    text = console.export_text()
    assert "3 trials of alice (2 ridge, 1 lightgbm)" in text
    assert "your code goes along: factories.py, helpers.py" in text


def test_merged_trials_are_ranked_and_blended_and_no_search_sees_them(alice, bob, packed):
    merged = bob.merge(packed)
    assert [(fate.name, fate.outcome) for fate in merged.fates] == [(name, "new") for name in NAMES]
    with bob.workspace() as workspace, alice.workspace() as theirs:
        assert workspace.plan.key == theirs.plan.key
        assert {trial.name for trial in workspace.trials()} == set(NAMES)
        assert {trial.origin for trial in workspace.trials()} == {"merge"}
        assert {candidate.trial for candidate in workspace.candidates(1)} == {NAMES[0], NAMES[2]}
        assert [study.family for study in workspace.guests] == ["lightgbm@alice", "ridge@alice"]
        assert [workspace.ledger.counts(study.id) for study in workspace.studies] == [{}, {}, {}]
        assert [workspace.ledger.studies("team", study.family) for study in workspace.studies] == [
            [study] for study in workspace.studies
        ]
        own = {trial.fit_key for trial in (t.result for t in theirs.trials()) if trial}
        assert not own & {trial.result.fit_key for trial in workspace.trials()}
        events = [event for _, _, event in workspace.ledger.events(0)]
    started = [event for event in events if isinstance(event, TrialStarted)]
    assert [started_tags(event)["wb.author"] for event in started] == ["alice"] * 3
    assert [event.state for event in events if isinstance(event, TrialFinished)] == ["complete"] * 3


def test_models_predict_with_the_authors_code_which_merging_does_not_run(alice, bob, packed):
    merged = bob.merge(packed)
    assert [file.name for file in merged.code] == ["factories.py", "helpers.py"]
    executed = merged.code[0].with_name("executed")
    assert not executed.exists()
    with bob.workspace() as workspace, alice.workspace() as theirs:
        rows = conform(workspace.dataset.raw("test"), workspace.dataset.schema, origin="test")
        for trial in workspace.trials():
            folder = workspace.vault.folder(trial.result.fit_key)
            found = np.mean([load_predictor(folder / f"split{i}").predict(rows) for i in range(2)], axis=0)
            np.testing.assert_allclose(found, workspace.vault.test(trial.result.fit_key, theirs.dataset.test_key))
    console = Console(record=True, width=200)
    show_merged(console, merged)
    assert "alice.wbz brings factories.py, helpers.py: code that runs when you export" in console.export_text()


def test_what_is_there_already_stays_and_what_was_lost_is_restored(bob, packed):
    bob.merge(packed)
    files = {path: path.stat().st_mtime_ns for path in bob.vault()}
    again = bob.merge(packed)
    assert [(fate.name, fate.outcome) for fate in again.fates] == [(name, "already there") for name in NAMES]
    assert {path: path.stat().st_mtime_ns for path in bob.vault()} == files
    with bob.workspace() as workspace:
        keys = [trial.result.fit_key for trial in workspace.trials() if trial.family == "ridge@alice"]
        shutil.rmtree(workspace.vault.folder(keys[0]))
        workspace.vault.keep_bundles([], keys[1:])
        assert not workspace.bundled(keys[1])
    assert sorted(fate.outcome for fate in bob.merge(packed).fates) == ["already there", "models added", "restored"]
    with bob.workspace() as workspace:
        assert all(workspace.bundled(key) and workspace.vault.has(key) for key in keys)
        assert len(workspace.trials()) == 3


def test_predictions_alone_are_not_exported_until_the_models_come(alice, bob, packed, tmp_path):
    small = alice.pack(tmp_path / "small.wbz", bundles=False).file
    assert {fate.remark for fate in bob.merge(small).fates} == {
        "predictions alone, blended and not exported: packed without models"
    }
    with bob.workspace() as workspace:
        assert not workspace.candidates(2)
        assert len(workspace.candidates(2, unbundled=True)) == 3
        before = Delivery(workspace, tmp_path).key()
    assert {fate.outcome for fate in bob.merge(packed).fates} == {"models added"}
    with bob.workspace() as workspace:
        assert len(workspace.candidates(2)) == 3
        delivery = Delivery(workspace, tmp_path)
        assert before != delivery.key() == delivery.key()
        blended = delivery.blend()
        assert delivery.exportable(blended) is blended

        lost = blended.members[0]
        workspace.vault.keep_bundles([], [lost.fit_key])
        assert delivery.without_models(blended) == [lost]
        exported = delivery.exportable(blended)
        assert {m.trial for m in exported.members} == {m.trial for m in blended.members} - {lost.trial}


def test_ones_own_fits_are_known_again(alice, packed):
    merged = alice.merge(packed)
    assert {fate.outcome for fate in merged.fates} == {"already there"}
    with alice.workspace() as workspace:
        assert not workspace.guests


def test_numbers_of_two_packs_of_one_author_do_not_meet(bob, copied):
    bob.merge(copied)
    other = Tampered(copied)
    other.copies("lightgbm", 1)
    other.write()
    merged = bob.merge(copied)
    assert [(fate.theirs, fate.name) for fate in merged.fates] == [("lightgbm#0000", "lightgbm@alice#0001")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 5", "seed: 6", r"folds: expected \w+ \(2 splits\), got .*folds.seed is 6 here and 5 at alice's"),
        ("splits: 2", "splits: 3", r"\(3 splits\), got \w+ \(2 splits\).*folds.splits is 3 here and 2 at alice's"),
        ("metric: rmse", "metric: mae", r"metric: name: expected mae, got rmse"),
        ("target: y", "target: y, drop: [b]", r"training data: expected \w+, got .*Use the same training table"),
    ],
)
def test_another_ground_is_refused_by_name(bob, packed, old, new, said):
    (bob.folder / "experiment.yaml").write_text((bob.folder / "experiment.yaml").read_text().replace(old, new))
    with pytest.raises(DataError, match=said):
        type(bob)(bob.folder, seed=2).merge(packed)
    assert not bob.vault()


def test_folds_follow_from_their_own_seed_where_it_is_given(bob):
    def plan(seed):
        with type(bob)(bob.folder, seed).workspace() as workspace:
            return workspace.plan.key

    assert plan(1) == plan(2)
    (bob.folder / "experiment.yaml").write_text((bob.folder / "experiment.yaml").read_text().replace(", seed: 5", ""))
    assert plan(1) != plan(2)
    assert plan(1) == plan(1)


def test_who_packs_is_a_part_of_names(bob, tmp_path):
    assert author_name("Zoë Smith") == "Zoe-Smith"
    with pytest.raises(ConfigError, match="--author NAME"):
        author_name("李")
    with pytest.raises(NothingToDeliver, match="no complete trial"):
        bob.pack(tmp_path / "bob.wbz")
    assert not list(tmp_path.glob("*.wbz"))
