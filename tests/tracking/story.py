"""Events as a driver writes them, without any training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from workbench.blending.result import BlendResult, MemberRef
from workbench.store.events import (
    BlendFinished,
    ModelExported,
    SweepFinished,
    SweepStarted,
    TrialCompared,
    TrialFinished,
    TrialStarted,
)
from workbench.store.ledger import Ledger
from workbench.types import Failure, Reported, TrialResult, Values

SPLITS = 3


def sweep_started(sweep: int = 1, **changes: Any) -> SweepStarted:
    given: dict[str, Any] = {
        "sweep": sweep,
        "experiment": "loans",
        "title": f"{sweep:04d} by hand 2026-11-20",
        "metric": "accuracy",
        "direction": "maximize",
        "monitor": "log_loss",
        "seed": 7,
        "config": {"search": {"trials": 20, "time": None}, "families": ["mlp", "lightgbm"], "metric": "accuracy"},
        "data_key": "d1",
        "plan_key": "p1",
        "splits": SPLITS,
        "provenance": {"git_commit": "abc123", "git_dirty": "true", "python": "3.11.7"},
    }
    return SweepStarted(**{**given, **changes})


def trial_started(
    trial: int, attempt: int, *, sweep: int = 1, family: str = "lightgbm", **changes: Any
) -> TrialStarted:
    values: Values = {"learning_rate": 0.1, "num_leaves": 31, "never_used": 1}
    given: dict[str, Any] = {"study": 1, "number": trial - 1, "values": values, "code": "v1"}
    return TrialStarted(sweep=sweep, trial=trial, attempt=attempt, family=family, **{**given, **changes})


def result(score: float, fit_key: str = "f1", **changes: Any) -> TrialResult:
    given: dict[str, Any] = {
        "score": score,
        "score_se": 0.01,
        "scores": (score - 0.01, score, score + 0.01),
        "values": {"learning_rate": 0.1, "num_leaves": 31},
        "best_epochs": (10, 20, 30),
        "fit_s": 1.5,
        "predict_s": 0.1,
        "peak_mb": 100.0,
        "fit_key": fit_key,
    }
    return TrialResult(**{**given, **changes})


def trial_finished(
    trial: int, attempt: int, score: float | None, *, sweep: int = 1, family: str = "lightgbm", **changes: Any
) -> TrialFinished:
    outcome = result(score, fit_key=f"f{trial}") if score is not None else None
    given: dict[str, Any] = {"study": 1, "number": trial - 1, "state": "complete", "result": outcome}
    return TrialFinished(sweep=sweep, trial=trial, attempt=attempt, family=family, **{**given, **changes})


def compared(trial: int, *, sweep: int = 2, family: str = "lightgbm~seed1", **changes: Any) -> TrialCompared:
    given: dict[str, Any] = {
        "study": 1,
        "number": trial - 1,
        "difference": 0.02,
        "difference_se": 0.005,
        "p": 0.01,
        "seed_noise": 0.004,
        "verdict": "better",
    }
    return TrialCompared(sweep=sweep, trial=trial, family=family, **{**given, **changes})


def reports(attempt: int, epochs: int = 120) -> list[tuple[int, Reported]]:
    return [
        (
            attempt,
            Reported(
                job_id="j",
                split=split,
                epoch=epoch,
                value=0.3 + 0.02 * split + math.exp(-epoch / 20),
                loss=0.2 + math.exp(-epoch / 15),
            ),
        )
        for split in range(SPLITS)
        for epoch in range(1, epochs - 10 * split + 1)
    ]


def member(trial: int, weight: float, family: str = "lightgbm") -> MemberRef:
    values: Values = {"learning_rate": 0.1}
    return MemberRef(
        family=family, number=trial - 1, fit_key=f"f{trial}", weight=weight, score=0.8, score_se=0.01, values=values
    )


def blend(*members: MemberRef, sweep: int = 1) -> BlendFinished:
    scores = BlendResult(
        method="nelder_mead", members=members, in_sample=0.83, nested=0.82, nested_se=0.01, best_single=0.81
    )
    return BlendFinished(sweep=sweep, blend=scores)


def exported(folder: Path, score: float = 0.82, **changes: Any) -> ModelExported:
    given: dict[str, Any] = {
        "sweep": 1,
        "experiment": "loans",
        "metric": "accuracy",
        "direction": "maximize",
        "data_key": "d1",
        "plan_key": "p1",
    }
    return ModelExported(folder=folder, score=score, **{**given, **changes})


def tell(ledger: Ledger) -> None:
    """Write a whole sweep: trials complete, pruned, failed, promoted after a screening, screened only; and a blend."""
    study, sweep = ledger.open_study("key", "loans", "lightgbm"), ledger.open_sweep("loans")
    for _ in range(6):
        ledger.claim(study, sweep, 6)  # reports belong to attempts
    ledger.append(sweep_started())
    ledger.append(trial_started(1, 1))
    ledger.write_reports(reports(1))
    ledger.append(trial_finished(1, 1, 0.80))
    ledger.append(trial_started(2, 2, epochs=27))
    ledger.write_reports(reports(2, epochs=25))
    message = "split 2, epoch 7: worse than the median"
    ledger.append(trial_finished(2, 2, None, state="pruned", message=message, device="gpu:0"))
    ledger.append(trial_started(3, 3))
    failure = Failure(code="nonfinite", message="the loss is NaN in epoch 3", traceback="Traceback …")
    ledger.append(trial_finished(3, 3, None, state="failed", failure=failure))
    ledger.append(trial_started(4, 4, family="mlp", stage="screen"))
    ledger.write_reports(reports(4, epochs=30))
    part = result(0.92, screened=True, fit_key="", fit_s=0.2, scores=(0.92,), setup_s=0.1, unfused="a single split")
    ledger.append(trial_finished(4, 4, None, family="mlp", state="screened", result=part))
    ledger.append(trial_started(4, 5, family="mlp", stage="promoted"))
    ledger.write_reports(reports(5, epochs=40))
    whole = result(0.81, "f4", batch_scale=0.5, gpu_peak_mb=900.0, setup_s=0.4, fused="map")
    ledger.append(trial_finished(4, 5, None, family="mlp", result=whole))
    ledger.append(trial_started(5, 6, family="mlp", stage="screen"))
    ledger.append(trial_finished(5, 6, None, family="mlp", state="screened", result=part))
    ledger.append(blend(member(1, 0.3), member(4, 0.7, "mlp")))
    ledger.append(SweepFinished(sweep=1, state="complete"))
