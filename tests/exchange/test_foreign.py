"""Predictions of other programs, joined by row id: trials of a guest without a model."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from workbench.blend_stage import blend_trials, predict_test
from workbench.cli import app
from workbench.delivery_stage import Delivery
from workbench.errors import ConfigError, DataError, StoreError
from workbench.exchange.foreign import Adoption
from workbench.exchange.given import Given
from workbench.exchange.joining import join
from workbench.exchange.report import show_adopted
from workbench.experiment import Experiment
from workbench.holdout_stage import holdout_score, unscored
from workbench.workspace import open_workspace

TARGETS = {
    "rmse": lambda x: x + 0.1 * np.sin(9 * x),
    "log_loss": lambda x: np.where(x > 0, "yes", "no"),
    "accuracy": lambda x: np.select([x < -0.5, x > 0.5], ["low", "top"], "mid"),
}


class Team:
    """An experiment of 60 rows with shuffled ids, and somebody's predictions of them."""

    def __init__(self, folder, metric="rmse", lines=(), ids=True):
        self.folder, self.ids = folder, ids
        generator = np.random.default_rng(0)
        rows = [f"{number:03d}" for number in generator.permutation(90)]
        self.table = pd.DataFrame({"key": rows, "x": generator.uniform(-1, 1, 90)})
        self.table["y"] = TARGETS[metric](self.table.x)
        data = self.table if ids else self.table.drop(columns="key")
        data[:60].to_csv(folder / "train.csv", index=False)
        data[60:].drop(columns="y").to_csv(folder / "test.csv", index=False)
        about = ["name: team", f"metric: {metric}", "families: [dummy, linear]", "ensemble: {method: mean}", *lines]
        if not any(line.startswith("folds") for line in lines):
            about.append("folds: {splits: 3, seed: 5}")
        about.append(f"data: {{train: train.csv, test: test.csv, target: y{', id: key' if ids else ''}}}")
        (folder / "experiment.yaml").write_text("\n".join(about))

    def workspace(self):
        return open_workspace(Experiment.from_folder(self.folder))

    def folds(self):
        """The split that validates each row of the training table."""
        with self.workspace() as workspace:
            return np.argmax(workspace.plan.assignment == 2, axis=0)

    def given(self, part=slice(60), **columns):
        """A table of predictions, in the order of the experiment's."""
        return pd.DataFrame({"key": self.table.key[part], **(columns or {"p": self.table.x[part]})})

    def write(self, frame, name="bob_oof.csv", shuffle=True):
        file = self.folder / name
        (frame.sample(frac=1, random_state=1) if shuffle else frame).to_csv(file, index=False)
        return file

    def merge(self, oof, test=None, name="model"):
        """Merge without a sweep in MLflow."""
        with self.workspace() as workspace:
            schema = workspace.dataset.schema
            files = [None if file is None else Given.read(file, schema) for file in (oof, test)]
            adoption = Adoption(workspace, oof, "bob", name, join(workspace.dataset, workspace.plan, *files))
            adopted = adoption.place()
            new = adopted.outcome == "new"
            return adoption.record(adopted, workspace.ledger.open_sweep("team")) if new else adopted

    def test(self, part=slice(60, None)):
        return self.write(self.given(part), "bob_test.csv")


@pytest.fixture
def team(tmp_path):
    return Team(tmp_path)


def test_rows_are_joined_by_id_scored_by_split_and_blended(team):
    adopted = team.merge(team.write(team.given().assign(fold=(team.folds() + 1) % 3 * 10)), team.test(), "forest")
    assert (adopted.trial, adopted.outcome, adopted.notices) == ("forest@bob#0000", "new", ())
    wrong, folds = (team.table.y - team.table.x)[:60], team.folds()
    scores = [np.sqrt((wrong[folds == split] ** 2).mean()) for split in range(3)]
    assert adopted.result.scores == pytest.approx(scores)
    assert adopted.result.score_se == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    with team.workspace() as workspace:
        assert [trial.name for trial in workspace.trials()] == [adopted.trial]
        assert not workspace.candidates(None)
        assert len(workspace.candidates(None, unbundled=True)) == 1
        np.testing.assert_array_equal(predict_test(workspace, blend_trials(workspace))[:, 0], team.table.x[60:])
    console = Console(record=True, width=100)
    show_adopted(console, adopted)
    assert "forest@bob#0000  rmse 0.0" in console.export_text()


def test_the_same_is_there_already_and_another_test_table_takes_its_place(team):
    oof, test = team.write(team.given()), team.test()
    compared = team.merge(oof)
    assert "without --test it is compared, and not blended" in " ".join(compared.notices)
    first = team.merge(oof, test)
    again = team.merge(team.write(team.given(), shuffle=False), test)
    assert [(each.trial, each.outcome) for each in (compared, first, again, team.merge(oof))] == [
        ("model@bob#0000", "new"),
        ("model@bob#0001", "new"),
        ("model@bob#0001", "already there"),
        ("model@bob#0001", "already there"),
    ]
    corrected = team.write(team.given(slice(60, None), p=7.0), "new.csv")
    with team.workspace() as workspace:  # a merge that is killed before it is recorded
        files = [Given.read(file, workspace.dataset.schema) for file in (oof, corrected)]
        Adoption(workspace, oof, "bob", "model", join(workspace.dataset, workspace.plan, *files)).place()
    assert usable(team) == ["model@bob#0001"]
    replaced = team.merge(oof, corrected)
    assert replaced.trial == "model@bob#0002"
    assert "it takes the place of model@bob#0001" in replaced.notices[-1]
    assert usable(team) == ["model@bob#0002"]
    delivered = key(team)
    assert team.merge(oof, test).outcome == "restored"
    assert usable(team) == ["model@bob#0001"]
    assert key(team) != delivered
    other = team.merge(team.write(team.given(p=0.5)), test)
    assert (other.trial, usable(team)) == ("model@bob#0003", ["model@bob#0001", "model@bob#0003"])


def usable(team):
    with team.workspace() as workspace:
        assert all(workspace.vault.has(trial.result.fit_key) for trial in workspace.trials())
        return sorted(candidate.trial for candidate in workspace.candidates(None, unbundled=True))


def key(team):
    with team.workspace() as workspace:
        return Delivery(workspace, team.folder).key()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A team by metric, its data set and its plan, for tests that write nothing but tables."""
    found = {}
    for metric in TARGETS:
        team = Team(tmp_path_factory.mktemp(metric), metric)
        with team.workspace() as workspace:
            found[metric] = team, workspace.dataset, workspace.plan
    return found


@pytest.mark.parametrize(
    ("metric", "columns"),
    [
        ("log_loss", {"no": 0.25, "yes": 0.75}),
        ("log_loss", {"anything": 0.75}),
        ("accuracy", {"p_top": 0.5, "p_low": 0.2, "p_mid": 0.3002}),
    ],
)
def test_classes_are_found_by_their_names(opened, metric, columns):
    team, dataset, plan = opened[metric]
    files = [team.write(team.given(**columns)), team.write(team.given(slice(60, None), **columns), "t.csv")]
    joined = join(dataset, plan, *(Given.read(file, dataset.schema) for file in files))
    expected = [[0.75]] if metric == "log_loss" else np.array([[0.2, 0.3002, 0.5]]) / 1.0002
    for found in (*joined.oof, joined.test):
        np.testing.assert_allclose(found, np.repeat(expected, len(found), axis=0))


def test_other_folds_are_refused_and_unknown_ones_are_told(opened):
    team, dataset, plan = opened["rmse"]

    def merge(folds):
        given = Given.read(team.write(team.given().assign(fold=folds)), dataset.schema)
        return join(dataset, plan, given, None)

    folds = np.argmax(plan.assignment == 2, axis=0)
    folds[[3, 4]] = (folds[[3, 4]] + 1) % 3
    said = (
        rf"refused: 2 of 60 rows .*\(3 folds there, 3 splits here\), such as key '{team.table.key[3]}': fold {folds[3]}"
    )
    with pytest.raises(DataError, match=said):
        merge(folds)
    halves = np.argmax(plan.assignment == 2, axis=0) + 3 * (np.arange(60) % 2)
    with pytest.raises(DataError, match=r"mixed fold plans .*\(6 folds there, 3 splits here\).*none of your splits"):
        merge(halves)
    with pytest.raises(DataError, match="1 rows without a fold"):
        merge(np.where(np.arange(60) == 5, np.nan, 1.0))
    plain = join(dataset, plan, Given.read(team.write(team.given()), dataset.schema), None)
    assert "its folds cannot be checked: it has no column 'fold'" in plain.notices[0]


def test_one_prediction_stands_for_each_repeat(tmp_path):
    team = Team(tmp_path, lines=["folds: {splits: 2, repeats: 2}"])
    with team.workspace() as workspace:
        second = np.argmax(workspace.plan.assignment[2:] == 2, axis=0)
    adopted = team.merge(team.write(team.given().assign(fold=second)), team.test())
    assert len(adopted.result.scores) == 4
    assert adopted.notices == ("one prediction a row stands for each of your 2 repeats",)


def spoiled(column, value, rows=(4, 7)):
    def spoil(frame):
        changed = frame.astype(object)
        changed.loc[list(rows), column] = value
        return changed

    return spoil


@pytest.mark.parametrize(
    ("metric", "spoil", "said"),
    [
        (
            "rmse",
            lambda frame: frame.drop(index=[4, 7]),
            r"lacks 2 of 60 rows that your folds validate, such as key '{4}', '{7}'",
        ),
        (
            "rmse",
            lambda frame: pd.concat([frame, frame[4:6]]),
            r"2 ids in several rows, such as key '{4}', '{5}'|'{5}', '{4}'",
        ),
        ("rmse", spoiled("key", "zz", [4]), r"1 id that the training table does not have, such as key 'zz'"),
        ("rmse", spoiled("key", None), r"2 rows without key, the first in row \d+"),
        ("rmse", spoiled("p", None), r"column 'p': 2 cells empty, such as nan of key '(?:{4}|{7})'"),
        ("rmse", spoiled("p", "inf", [4]), r"column 'p': 1 cell infinite, such as inf of key '{4}'"),
        ("rmse", spoiled("p", "n/k", [4]), r"column 'p': 1 cell no number, such as n/k of key '{4}'"),
        ("log_loss", spoiled("p", 1.5, [4]), r"'p': 1 cell no probability of 0 to 1, such as 1.5 of key '{4}'"),
        (
            "accuracy",
            lambda frame: frame.assign(low=0.5, mid=0.3, top=0.1).drop(columns="p"),
            "of 60 rows do not sum to 1, such as 0.9",
        ),
        (
            "accuracy",
            lambda frame: frame,
            r"one column of probabilities a class, named after them \('low', 'mid', 'top'\)",
        ),
        (
            "log_loss",
            lambda frame: frame.rename(columns={"p": "no"}),
            r"one column with the probability of 'yes'.*got 'no'",
        ),
        ("rmse", lambda frame: frame.assign(q=1.0), r"expected one column of predictions .*, got 'p', 'q'"),
        (
            "rmse",
            lambda frame: frame.rename(columns={"key": "Key"}),
            r"no column 'key' \(data.id\).* Did you mean 'Key'\?",
        ),
    ],
)
def test_what_is_wrong_is_told_with_counts_and_examples(opened, metric, spoil, said):
    team, dataset, plan = opened[metric]
    frame = spoil(team.given(p=team.table.x[:60].abs()))
    for row in (4, 5, 7):
        said = said.replace(f"{{{row}}}", team.table.key[row])
    with pytest.raises(DataError, match=said):
        join(dataset, plan, Given.read(team.write(frame), dataset.schema), None)


def test_a_test_table_of_other_rows_is_refused(team):
    oof = team.write(team.given())
    with pytest.raises(DataError, match="lacks 1 of 30 rows of the test table"):
        team.merge(oof, team.test(slice(61, None)))
    with pytest.raises(DataError, match="10 ids that the test table does not have"):
        team.merge(oof, team.test(slice(50, None)))
    experiment = team.folder / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("test: test.csv, ", ""))
    with pytest.raises(ConfigError, match=r"no data.test, .*; leave --test out"):
        team.merge(oof, team.test())
    assert team.merge(oof).notices[1:] == ()
    assert usable(team) == ["model@bob#0000"]


def test_without_ids_rows_are_known_by_their_position(tmp_path):
    team = Team(tmp_path, ids=False)
    plain = team.given().drop(columns="key")
    first = team.merge(team.write(plain, shuffle=False))
    assert team.merge(team.write(plain.assign(row=range(60)))).trial == first.trial
    with pytest.raises(
        DataError, match=r"lacks 10 of 60 rows that your folds validate, such as row '50'.*position, from 0"
    ):
        team.merge(team.write(plain[:50], shuffle=False))
    for name in ("train.csv", "test.csv"):
        pd.read_csv(team.folder / name).assign(id=1).to_csv(team.folder / name, index=False)
    with pytest.raises(DataError, match=r"'id' is a column of your training table too.*set 'data.id: id'"):
        team.merge(team.write(plain.assign(id=range(60))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a pack, or --oof OOF.csv, got neither"),
        (["alice.wbz", "--oof", "oof.csv"], "expected a pack, or --oof OOF.csv, got both"),
        (["--oof", "oof.csv"], "--oof needs --author"),
        (["alice.wbz", "--name", "forest"], "--name belongs to --oof"),
    ],
)
def test_one_command_has_two_forms(team, arguments, said):
    result = CliRunner().invoke(app, ["merge", str(team.folder), *arguments])
    assert (result.exit_code, said in result.output) == (2, True)


@pytest.mark.parametrize("ids", [True, False])
def test_rows_set_aside_are_scored_where_predictions_of_them_were_given(tmp_path, ids):
    team = Team(tmp_path, lines=["holdout: {share: 0.25}"], ids=ids)
    all_rows = team.given().assign(**({} if ids else {"row": range(60)}))
    test = team.test() if ids else team.write(team.given(slice(60, None))[["p"]], "bob_test.csv", shuffle=False)
    with team.workspace() as workspace:
        held = np.isin(team.table.key[:60], np.asarray(workspace.dataset.holdout_ids, dtype=str).tolist())
        held = held if ids else np.isin(np.arange(60), workspace.dataset.holdout_ids)
        held_y = workspace.dataset.holdout_y
    columns = ["key", "p"] if ids else ["row", "p"]
    lacking = team.merge(team.write(all_rows[~held][columns]), test)
    assert "a blend with it gets no holdout score" in lacking.notices[-1]
    with team.workspace() as workspace:
        blended = blend_trials(workspace)
        assert holdout_score(workspace, blended) is None
        assert unscored(workspace, blended) == (
            "the holdout is not scored: model@bob#0000 brought no predictions of 15 of 15 rows that were set aside",
        )
        with pytest.raises(StoreError, match="15 of 15 rows"):
            predict_test(workspace, blended, holdout=True)
    whole = team.merge(team.write(all_rows[columns]), test)
    assert "rows that you set aside are those of bob_oof.csv" in whole.notices[-2]
    with team.workspace() as workspace:
        scored = holdout_score(workspace, blend_trials(workspace))
        assert scored.holdout == pytest.approx(np.sqrt(((held_y - team.table.x[:60][held]) ** 2).mean()))
