from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tests.tracking import story
from workbench.store.events import SweepFinished
from workbench.store.ledger import Ledger
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.projector import replay

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow 3.17 with SQLAlchemy 2.1


def runs(uri: str, experiment: str = "loans") -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], run_view_type=ViewType.ALL, max_results=1000))


def named(uri: str) -> dict[str, Run]:
    return {run.info.run_name: run for run in runs(uri)}


def everything(uri: str) -> dict[str, Any]:
    """All that is in a store: infos, params, tags, and every point of every metric."""
    client = MlflowClient(tracking_uri=uri)
    return {
        run.info.run_id: (
            dict(run.info),
            run.data.params,
            run.data.tags,
            {
                name: sorted((m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, name))
                for name in run.data.metrics
            },
        )
        for run in runs(uri)
    }


def steps(uri: str, run: Run, name: str) -> list[int]:
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, name)
    return sorted(metric.step for metric in history)


def test_a_sweep_is_a_run_with_nested_trials_and_a_blend(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    found = named(uri)
    trials = {"lightgbm#0000", "lightgbm#0001", "lightgbm#0002", "mlp#0003", "mlp#0004"}
    sweep = found["0001 by hand 2026-11-20"]
    assert set(found) == {*trials, sweep.info.run_name, "0001.blend nelder_mead"}
    for name in set(found) - {sweep.info.run_name}:
        assert found[name].data.tags["mlflow.parentRunId"] == sweep.info.run_id
    assert {name: (found[name].info.status, found[name].data.tags["wb.state"]) for name in trials} == {
        "lightgbm#0000": ("FINISHED", "complete"),
        "lightgbm#0001": ("KILLED", "pruned"),
        "lightgbm#0002": ("FAILED", "failed"),
        "mlp#0003": ("FINISHED", "complete"),
        "mlp#0004": ("FINISHED", "screened"),
    }
    assert sweep.info.status == "FINISHED"
    assert sweep.data.metrics["score"] == 0.81
    assert sweep.data.params["search.trials"] == "20"
    assert "search.time" not in sweep.data.params
    assert sweep.data.tags["mlflow.source.git.commit"] == "abc123"
    assert found["lightgbm#0002"].data.tags["wb.failure"] == "nonfinite"


def test_a_trials_params_metrics_and_tags(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    trial = named(uri)["lightgbm#0000"]
    assert trial.data.params == {"lr": "0.1", "lightgbm.num_leaves": "31"}  # what was not asked for is absent
    assert {name for name in trial.data.metrics if "/" not in name} == {
        *("score", "score_se", "fit_s", "predict_s", "peak_mb", "best_epoch")
    }
    assert {name for name in trial.data.metrics if "/" in name} == {
        *("split/0", "split/1", "split/2"),
        *(f"curve/{curve}/{part}" for curve in ("val_log_loss", "loss") for part in ("mean", "s0", "s1", "s2")),
    }
    assert {name: value for name, value in trial.data.tags.items() if name.startswith("wb.") and name != "wb.key"} == {
        "wb.kind": "trial",
        "wb.sweep": "0001",
        "wb.family": "lightgbm",
        "wb.trial": "lightgbm#0000",
        "wb.state": "complete",
        "wb.folds": "p1",
        "wb.data": "d1",
        "wb.code": "v1",
        "wb.dirty": "true",
        "wb.attempt": "1",
        "wb.origin": "search",
        "wb.values": '{"learning_rate": 0.1, "num_leaves": 31, "never_used": 1}',
        "wb.fit": "f1",
        "wb.cached": "false",
        "wb.in_blend": "true",
    }
    mean = steps(uri, trial, "curve/val_log_loss/mean")
    assert len(mean) == 50
    assert (mean[0], mean[-1]) == (1, 120)


def test_a_screening_never_mixes_with_whole_trials(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    found = named(uri)
    pruned, promoted, screened = (found[name] for name in ("lightgbm#0001", "mlp#0003", "mlp#0004"))
    assert screened.data.metrics == {"screen_score": 0.92, "screen_fit_s": 0.2}
    assert screened.data.tags["wb.stage"] == "screen"
    assert {name: value for name, value in promoted.data.metrics.items() if "/" not in name} == {
        **{"score": 0.81, "score_se": 0.01, "fit_s": 1.5, "setup_s": 0.4, "predict_s": 0.1, "peak_mb": 100.0},
        **{"gpu_peak_mb": 900.0, "best_epoch": 20.0, "screen_score": 0.92, "screen_fit_s": 0.2},
    }
    tags = {name: promoted.data.tags.get(name) for name in ("wb.stage", "wb.batch_scale", "wb.fused", "wb.unfused")}
    assert tags == {"wb.stage": "promoted", "wb.batch_scale": "0.5", "wb.fused": "map", "wb.unfused": None}
    assert [max(steps(uri, promoted, f"{curve}/val_log_loss/s0")) for curve in ("screen", "curve")] == [30, 40]
    assert found["0001 by hand 2026-11-20"].data.metrics["score"] == 0.81
    assert {name: pruned.data.tags[name] for name in ("wb.epochs", "wb.device", "wb.message")} == {
        "wb.epochs": "27",
        "wb.device": "gpu:0",
        "wb.message": "split 2, epoch 7: worse than the median",
    }
    assert "score" not in pruned.data.metrics
    assert "curve/val_log_loss/mean" in pruned.data.metrics


def test_runs_start_and_end_when_the_events_happened(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    times = [round(at.timestamp() * 1000) for _, at, _ in ledger.events(0)]
    trial, sweep = named(uri)["lightgbm#0000"], named(uri)["0001 by hand 2026-11-20"]
    assert (trial.info.start_time, trial.info.end_time) == (times[1], times[2])
    assert (sweep.info.start_time, sweep.info.end_time) == (times[0], times[-1])


def test_replaying_from_event_0_changes_nothing(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    before = everything(uri)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before


def test_a_tried_trial_shows_its_note_and_its_newest_comparison(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    ledger.append(story.sweep_started(2, title="0002 try lightgbm: slower"))
    ledger.append(story.trial_started(6, 7, sweep=2, origin="try", note="slower", family="lightgbm~seed1"))
    ledger.append(story.trial_finished(6, 7, 0.82, sweep=2, family="lightgbm~seed1"))
    ledger.append(story.compared(6, against="lightgbm#0000", note="slower"))
    ledger.append(story.compared(6, against="mlp#0003", difference=-0.03, difference_se=None, verdict="worse"))
    ledger.append(SweepFinished(sweep=2, state="complete"))
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    trial = named(uri)["lightgbm~seed1#0005"]
    tags = {name: trial.data.tags.get(name) for name in ("wb.origin", "wb.note", "wb.against", "wb.verdict")}
    assert tags == {"wb.origin": "try", "wb.note": "slower", "wb.against": "mlp#0003", "wb.verdict": "worse"}
    assert trial.data.tags["mlflow.note.content"] == "slower"
    assert trial.data.metrics["difference"] == -0.03
    assert len(steps(uri, trial, "difference")) == 2
    assert trial.data.metrics["seed_noise"] == 0.004
    assert trial.data.params["lightgbm.num_leaves"] == "31"
    ledger.append(story.compared(6, against="mlp#0003", note="slower, for longer"))
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert named(uri)["lightgbm~seed1#0005"].data.tags["mlflow.note.content"] == "slower, for longer"
    before = everything(uri)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before, "the trial's first note does not come back"
    MlflowClient(tracking_uri=uri).set_tag(trial.info.run_id, "mlflow.note.content", "a person's own words")
    before = everything(uri)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before


@pytest.mark.parametrize("lost", [1, 2, 3, 5, 7, 9, 10, 11, 14, 15])
def test_a_projector_that_dies_behind_any_event_leaves_no_doubles(
    ledger: Ledger, uri: str, store: Path, lost: int
) -> None:
    story.tell(ledger)
    first = MlflowProjection(ledger, uri, store)
    for position, at, event in ledger.events(0, lost):
        first.apply(position, at, event)
    replay(ledger, [MlflowProjection(ledger, uri, store)], after=lost - 1)
    found = runs(uri)
    assert len(found) == 7
    assert "RUNNING" not in {run.info.status for run in found}
    trial = named(uri)["lightgbm#0000"]
    assert len(steps(uri, trial, "curve/loss/mean")) == 50


def test_what_people_add_survives_and_what_is_ours_is_mended(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    client, run_id = MlflowClient(tracking_uri=uri), named(uri)["lightgbm#0000"].info.run_id
    client.set_tag(run_id, "mlflow.note.content", "a good one")
    client.set_tag(run_id, "owner", "Ada")
    client.update_run(run_id, name="my favourite")
    before = everything(uri)
    client.set_tag(run_id, "wb.family", "something else")
    client.set_tag(run_id, "wb.state", "something else")
    client.delete_tag(run_id, "wb.in_blend")
    client.set_terminated(run_id, "FAILED", end_time=1)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before


def test_runs_that_people_deleted_stay_deleted(ledger: Ledger, uri: str, store: Path) -> None:
    story.tell(ledger)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    client = MlflowClient(tracking_uri=uri)
    for run in runs(uri):
        client.delete_run(run.info.run_id)
    before = everything(uri)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before


def test_a_killed_drivers_runs_are_closed_and_a_retried_trial_goes_on_in_its_run(
    ledger: Ledger, uri: str, store: Path
) -> None:
    ledger.append(story.sweep_started(1))
    ledger.append(story.trial_started(1, 1, sweep=1))
    last = replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert {run.info.status for run in runs(uri)} == {"RUNNING"}
    ledger.append(story.trial_finished(1, 1, None, sweep=1, state="lost"))
    ledger.append(SweepFinished(sweep=1, state="interrupted", message="the driver died"))
    last = replay(ledger, [MlflowProjection(ledger, uri, store)], after=last)
    assert {run.info.status for run in runs(uri)} == {"KILLED"}
    ledger.append(story.sweep_started(2))
    ledger.append(story.trial_started(1, 2, sweep=2))
    last = replay(ledger, [MlflowProjection(ledger, uri, store)], after=last)
    assert named(uri)["lightgbm#0000"].info.status == "RUNNING"
    ledger.append(story.trial_finished(1, 2, 0.8, sweep=2))
    ledger.append(SweepFinished(sweep=2, state="complete"))
    replay(ledger, [MlflowProjection(ledger, uri, store)], after=last)
    found = named(uri)
    assert len(runs(uri)) == 3
    assert found["lightgbm#0000"].info.status == "FINISHED"
    assert found["lightgbm#0000"].data.tags["mlflow.parentRunId"] == found["0002 by hand 2026-11-20"].info.run_id
    assert found["0001 by hand 2026-11-20"].info.status == "KILLED"
    before = everything(uri)
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert everything(uri) == before


def test_two_ledgers_share_a_store_without_sharing_runs(tmp_path: Path, uri: str, store: Path) -> None:
    for name in ("one", "two"):
        ledger = Ledger.open(f"sqlite:///{tmp_path / name}.db")
        story.tell(ledger)
        replay(ledger, [MlflowProjection(ledger, uri, store)])
        ledger.close()
    assert len(runs(uri)) == 14


def test_values_beyond_mlflows_limits_are_logged_shortened(ledger: Ledger, uri: str, store: Path) -> None:
    config = {f"key_{index}": "x" * 9000 for index in range(130)}
    ledger.append(story.sweep_started(config=config))
    ledger.append(story.trial_started(1, 1))
    values = {f"odd name @{index}!": index for index in range(120)}
    outcome = story.result(float("nan"), scores=(float("nan"), 1.0, 2.0), values=values)
    ledger.append(story.trial_finished(1, 1, None, result=outcome))
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert len(named(uri)["0001 by hand 2026-11-20"].data.params) == 130
    trial = named(uri)["lightgbm#0000"]
    assert trial.data.params["lightgbm.odd name _at_7_"] == "7"
    assert len(trial.data.params) == 120
    assert "score" not in named(uri)["0001 by hand 2026-11-20"].data.metrics


def test_artifacts_of_a_sweep_lie_in_the_store(ledger: Ledger, uri: str, store: Path) -> None:
    file = store / "result.json"
    file.write_text("{}")
    ledger.append(story.sweep_started())
    ledger.append(SweepFinished(sweep=1, state="complete", artifacts=(file, store / "gone.csv")))
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    run = runs(uri)[0]
    assert run.info.artifact_uri.startswith((store / "mlartifacts").as_uri())
    listed = MlflowClient(tracking_uri=uri).list_artifacts(run.info.run_id)
    assert [entry.path for entry in listed] == ["result.json"]
