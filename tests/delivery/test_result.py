"""result.json, the leaderboard, and what became of the trials."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError
from rich.console import Console

from workbench.blending.result import BlendResult, MemberRef
from workbench.delivery.leaderboard import Entry, leaderboard, render, write_csv
from workbench.delivery.result import ResultPaths, Scores, SweepResult, read_result, write_result
from workbench.delivery.tally import tallies, tally
from workbench.errors import StoreError
from workbench.store.ledger import Trial
from workbench.types import Failure, FailureCode, Stage, TrialResult, TrialState


def trial(score: float, **changes: Any) -> TrialResult:
    return TrialResult(score=score, score_se=0.01, scores=(score,), values={"lr": 0.1}, fit_s=1.5, **changes)


def blended(nested: float = 0.9) -> BlendResult:
    member = MemberRef(family="mlp", number=3, fit_key="k", weight=1.0, score=0.88, score_se=0.01, values={"lr": 0.1})
    return BlendResult(
        method="nelder_mead", members=(member,), in_sample=0.95, nested=nested, nested_se=0.02, best_single=0.88
    )


TRIALS = [
    ("dummy", 0, trial(0.5)),
    ("mlp", 0, trial(0.89)),
    ("mlp", 3, trial(0.88)),
    ("lightgbm", 1, trial(0.4)),
    ("lightgbm", 0, trial(0.4)),
]


def sweep_result(**changes: Any) -> SweepResult:
    fields = {
        "experiment": "shop",
        "sweep": 42,
        "title": "0042 nightly",
        "metric": "auc",
        "direction": "maximize",
        "scores": Scores.of(blended()),
        "method": "nelder_mead",
        "members": blended().members,
        "trials": {"mlp": {"complete": 4, "failed": 1, "pruned": 2, "screened": 3}},
        "failures": {"mlp": {"oom": 1}},
        "promoted": {"mlp": 2},
        "seconds": 12.5,
        "seed": 7,
        "paths": ResultPaths(folder=Path("/s/42"), store=Path("/s")),
        "versions": {"keras": "3.15"},
    }
    return SweepResult.model_validate(fields | changes)


def test_a_result_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    result = sweep_result()
    assert read_result(write_result(tmp_path / "result.json", result)) == result


def test_the_file_fits_its_json_schema_which_says_what_fields_mean(tmp_path: Path) -> None:
    result = sweep_result(scores=Scores.of(blended(nested=float("nan"))))
    written = json.loads(write_result(tmp_path / "result.json", result).read_text(), parse_constant=pytest.fail)
    schema = SweepResult.model_json_schema()
    jsonschema.validate(written, schema)
    assert (written["version"], written["scores"]["nested"], written["mlflow_run_id"]) == (1, None, None)
    assert "Wall time" in schema["properties"]["seconds"]["description"]


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"version": 2}', "version 2, this program reads up to 1"), ("{", "cannot be read"), ("[]", "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(StoreError, match=message):
        read_result(tmp_path / "result.json")


def test_fields_of_a_later_writer_are_ignored_and_wrong_ones_are_not(tmp_path: Path) -> None:
    path = write_result(tmp_path / "result.json", sweep_result())
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"later": 1}))
    assert read_result(path) == sweep_result()
    with pytest.raises(ValidationError, match="direction"):
        sweep_result(direction="up")


def test_best_first_in_the_metrics_direction() -> None:
    rows = leaderboard(TRIALS, blended(), "maximize")
    assert [row.place for row in rows] == [1, 2, 3, 4, 5]
    assert [row.name for row in rows] == ["blend nelder_mead", "mlp#0000", "mlp#0003", "dummy#0000", "lightgbm#0000"]
    down = leaderboard(TRIALS, None, "minimize")
    assert [row.name for row in down] == ["lightgbm#0000", "dummy#0000", "mlp#0003"]


def test_the_blends_nested_score_stands_beside_each_members() -> None:
    rows = {row.name: row for row in leaderboard(TRIALS, blended(), "maximize")}
    blend, member = rows["blend nelder_mead"], rows["mlp#0003"]
    assert (blend.score, blend.score_se, blend.in_sample) == (0.9, 0.02, 0.95)
    assert (member.score, member.weight, rows["mlp#0000"].weight) == (0.88, 1.0, None)


def test_models_that_do_not_beat_the_base_say_so() -> None:
    rows = {row.family: row.note for row in leaderboard(TRIALS, blended(nested=0.5), "maximize")}
    assert rows == {
        "blend": "below base",
        "mlp": "",
        "dummy": "base",
        "lightgbm": "below base",
    }
    assert {row.note for row in leaderboard(TRIALS[1:], None, "maximize")} == {""}


def test_screened_trials_have_no_place_and_promoted_ones_say_so() -> None:
    promoted = Entry("mlp", 5, trial(0.91, batch_scale=0.5, truncated=True), promoted=True)
    rows = leaderboard([*TRIALS, Entry("mlp", 6, trial(0.99, screened=True)), promoted], None, "maximize")
    assert (rows[0].name, rows[0].note) == ("mlp#0005", "promoted, ended early, half batch")
    assert "mlp#0006" not in {row.name for row in rows}


def stored(
    number: int, state: TrialState, code: FailureCode | None = None, stage: Stage = "whole", family: str = "mlp"
) -> Trial:
    failure = Failure(code=code, message="…") if code else None
    return Trial(
        id=number,
        study=1,
        family=family,
        number=number,
        state=state,
        values={},
        result=None,
        failure=failure,
        seconds=1.0,
        stage=stage,
    )


def test_a_line_says_what_became_of_a_familys_trials() -> None:
    trials = [
        stored(0, "complete"),
        stored(1, "complete", stage="promoted"),
        stored(2, "pruned", stage="promoted"),
        stored(3, "failed", "timeout"),
        stored(4, "failed", "oom"),
        stored(5, "failed", "oom"),
        stored(6, "screened", stage="screen"),
        stored(7, "queued"),
        stored(0, "complete", family="dummy"),
    ]
    assert tally(tallies(trials)) == (
        "mlp: 8 trials: 2 complete, 1 pruned, 3 failed (oom 2, timeout 1), 1 screened, 1 queued, promoted 2",
        "dummy: 1 trial: complete",
    )
    assert tally(sweep_result().tallies) == (
        "mlp: 10 trials: 4 complete, 2 pruned, 1 failed (oom 1), 3 screened, promoted 2",
    )


def test_a_score_that_is_no_number_comes_last() -> None:
    rows = leaderboard([*TRIALS, ("xgboost", 0, trial(float("nan")))], None, "maximize")
    assert rows[-1].family == "xgboost"
    assert rows[-1].note == "below base"


def test_csv_and_table_show_the_same_rows(tmp_path: Path) -> None:
    rows = leaderboard(TRIALS, blended(), "maximize", per_family=2)
    read = list(csv.DictReader(io.StringIO(write_csv(tmp_path / "l.csv", rows).read_text())))
    assert [(r["name"], float(r["score"])) for r in read] == [(row.name, row.score) for row in rows]
    assert read[-1]["weight"] == ""
    console = Console(file=io.StringIO(), width=120)
    console.print(render(rows, title="shop [0042]", metric="auc", direction="maximize"))
    text = console.file.getvalue()
    assert all(row.name in text and row.note in text for row in rows)
    assert "shop [0042]" in text
