"""What a blend's run shows: scores, gains, how it was made, tables and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.tracking import story
from tests.tracking.test_mlflow_projection import everything, named
from workbench.blending.calibration import Isotonic, Temperature
from workbench.blending.decision import ClassFactors, Clip, CutPoints, Decision, Threshold
from workbench.blending.fitted import FittedBlend
from workbench.blending.mix import equal
from workbench.blending.result import BlendResult, MethodScore
from workbench.blending.wording import calibration_in_words, decision_in_words
from workbench.store.events import BlendFinished
from workbench.store.ledger import Ledger
from workbench.tracking.blend_data import files
from workbench.tracking.blend_figures import WITH_NAMES
from workbench.tracking.blend_note import describe
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.projector import replay

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow 3.17 with SQLAlchemy 2.1

PICTURE = b"\x89PNG\r\n"


def method_score(method: str, nested: float, behind: float, failure: str = "") -> MethodScore:
    rest = dict.fromkeys(("in_sample", "nested_se", "low", "high", "behind_best_se"), 0.1)
    return MethodScore(
        method=method, nested=nested, behind_best=behind, members=2, seconds=0.25, failure=failure, **rest
    )


def blended(count: int = 2) -> BlendResult:
    """A blend whose event tells all that there is; the second member's gain is not known."""
    members = [story.member(i + 1, 1.0 / count).model_copy(update={"gain": 0.004}) for i in range(count)]
    members[1] = members[1].model_copy(update={"gain": None})
    correlations = [[1.0 if i == j else 0.9123456789 for j in range(count)] for i in range(count)]
    found = {
        "nested_low": 0.8,
        "nested_high": 0.84,
        "gap": 1e-9,
        "considered": (
            method_score("nelder_mead", 0.82, 0.0),
            method_score("rank_average", float("nan"), float("nan"), "no ranks"),
        ),
        "correlations": tuple(map(tuple, correlations)),
        "left_out": ("mlp#0009 is not blended: its fit is absent",),
        "fitted": FittedBlend(mix=equal(count), decision=Threshold(at=0.31), probabilities=True),
    }
    return story.blend(*members).blend.model_copy(update=found)


def shown(ledger: Ledger, uri: str, store: Path) -> Run:
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    return named(uri)["0001.blend nelder_mead"]


def contents(run: Run) -> dict[str, bytes]:
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else {}


def test_a_blends_run_shows_scores_gains_tables_and_pictures_however_often_it_is_replayed(
    ledger: Ledger, uri: str, store: Path
) -> None:
    ledger.append(story.sweep_started(config={"ensemble": {"members": "forward", "bagging": "none"}}))
    ledger.append(BlendFinished(sweep=1, blend=blended()))
    run = shown(ledger, uri, store)
    names = {"nested_low", "nested_high", "gap", "weight/lightgbm_0000", "weight/lightgbm_0001", "gain/lightgbm_0000"}
    assert names <= set(run.data.metrics)
    assert "gain/lightgbm_0001" not in run.data.metrics
    assert run.data.params == {
        **{"method": "nelder_mead", "members": "2", "selection": "forward", "bagging": "none"},
        **{"calibration": "none", "decision": "threshold 0.31"},
    }
    assert run.data.tags["wb.left_out"] == "mlp#0009 is not blended: its fit is absent"
    assert "nested accuracy **0.82**" in run.data.tags["mlflow.note.content"]
    client = MlflowClient(tracking_uri=uri)
    client.set_tag(run.info.run_id, "mlflow.note.content", "a person's own words")
    before, kept = everything(uri), contents(run)
    assert set(kept) == {"weights.json", "methods.json", "correlations.png", "members.png"}
    assert all(content.startswith(PICTURE) for name, content in kept.items() if name.endswith(".png"))

    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    (folder / "correlations.png").unlink()
    (folder / "weights.json").write_text("[] as before: what is there is left alone")
    assert contents(shown(ledger, uri, store)) == {**kept, "weights.json": (folder / "weights.json").read_bytes()}
    client.set_tag(run.info.run_id, "wb.files", "correlations.png members.png methods.json")
    assert contents(shown(ledger, uri, store)) == kept, "what was cut off is written again"
    assert everything(uri) == before
    _is_a_table_of_mlflows(client, run)


def _is_a_table_of_mlflows(client: MlflowClient, run: Run) -> None:
    tables = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert tables == [{"path": name, "type": "table"} for name in ("weights.json", "methods.json")]
    weights, methods = (
        client.load_table(run.info.experiment_id, table["path"], run_ids=[run.info.run_id]) for table in tables
    )
    assert list(weights["trial"]) == ["lightgbm#0000", "lightgbm#0001"]
    assert weights["gain"].isna().tolist() == [False, True]
    assert dict(zip(methods["method"], methods["note"], strict=True)) == {
        "nelder_mead": "chosen",
        "rank_average": "no ranks",
    }


def test_an_event_of_old_has_its_weights_alone() -> None:
    old = story.blend(story.member(1, 0.3), story.member(4, 0.7, "mlp")).blend
    assert set(files(old, "accuracy")) == {"weights.json"}
    assert "| mlp\\#0003 | 0.700 |  | 0.8 |" in describe(old, "accuracy")


def test_a_picture_of_more_members_than_have_room_for_names() -> None:
    assert files(blended(WITH_NAMES + 1), "accuracy")["correlations.png"]().startswith(PICTURE)


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (None, "none"),
        (Threshold(at=0.3125), "threshold 0.3125"),
        (ClassFactors(factors=(1.0, 0.8123)), "class factors 1, 0.812"),
        (CutPoints(cuts=(0.5, 1.625)), "cut-points 0.5, 1.62"),
        (Clip(low=0.0, high=50.0), "clip 0 to 50"),
    ],
)
def test_decisions_in_words(decision: Decision | None, words: str) -> None:
    assert decision_in_words(decision) == words


def test_calibrations_in_words() -> None:
    assert calibration_in_words(None) == "none"
    assert calibration_in_words(Temperature(scale=0.8712)) == "temperature 0.871"
    assert calibration_in_words(Isotonic(knots=((0.0, 1.0),), levels=((0.0, 1.0),))) == "isotonic"
