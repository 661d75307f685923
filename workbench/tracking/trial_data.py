"""What a trial's events put into its MLflow run: tags, metrics to sort by, and charts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from workbench.store.event_log import Report
from workbench.store.events import TrialFinished, TrialStarted
from workbench.tracking.curves import Curve, curves
from workbench.types import TrialResult


def started_tags(event: TrialStarted) -> dict[str, str]:
    """Return the tags of an attempt that begins; what is not set, or as usual, is left out."""
    optional = {
        "wb.features": event.features,
        "wb.stage": event.stage if event.stage != "whole" else "",
        "wb.epochs": "" if event.epochs is None else str(event.epochs),
        "wb.author": event.author,
    }
    return {
        "wb.attempt": str(event.attempt),
        "wb.code": event.code,
        "wb.values": json.dumps(event.values),
        "wb.origin": event.origin,
        **{name: value for name, value in optional.items() if value},
    }


def finished_tags(event: TrialFinished) -> dict[str, str]:
    """Return the tags that say how an attempt ended, and why."""
    tags: dict[str, str] = {"wb.state": event.state}
    if event.device:
        tags["wb.device"] = event.device
    if event.message:
        tags["wb.message"] = event.message
    if event.failure:
        tags |= {"wb.failure": event.failure.code, "wb.message": event.failure.message}
    return tags | (_result_tags(event.result) if event.result else {})


def sortable(event: TrialFinished) -> dict[str, float]:
    """Return the metrics by which people sort: no slash in their names.

    A screening has names of its own. Its score is of a part of the rows, and must not be sorted among the others; and
    a promoted trial goes on in the same run, where a metric that is there is not written again.
    """
    if event.result is None:
        return {}
    return _screening(event.result) if event.state == "screened" else _whole(event.result)


def charts(event: TrialFinished, reports: Sequence[Report], monitor: str) -> dict[str, Curve]:
    """Return the learning curves of an attempt, those of a screening under ``screen/``, and the score by split."""
    prefix = "screen" if event.state == "screened" else "curve"
    found = curves(reports, f"{prefix}/val_{monitor}", f"{prefix}/loss")
    scores = event.result.scores if event.result and event.state == "complete" else ()
    return {f"split/{index}": [(0, score)] for index, score in enumerate(scores)} | found


def _result_tags(result: TrialResult) -> dict[str, str]:
    tags = {"wb.fit": result.fit_key} if result.fit_key else {}
    tags["wb.cached"] = str(result.cached).lower()
    if result.truncated:
        tags["wb.truncated"] = "true"
    if result.batch_scale < 1.0:
        tags["wb.batch_scale"] = f"{result.batch_scale:g}"
    return tags if result.screened else tags | _fusion(result)


def _fusion(result: TrialResult) -> dict[str, str]:
    """Return how the splits trained together, or why they did not; not of a screening, whose promotion may differ."""
    return {f"wb.{name}": said for name in ("fused", "unfused") if (said := getattr(result, name))}


def _screening(result: TrialResult) -> dict[str, float]:
    several = ("score_se",) if len(result.scores) > 1 else ()  # of a single split there is no standard error
    return {f"screen_{name}": value for name, value in _numbers(result, "score", *several, "fit_s").items()}


def _whole(result: TrialResult) -> dict[str, float]:
    found = _numbers(result, "score", "score_se", "fit_s", "predict_s", "peak_mb")
    found |= {name: value for name, value in _numbers(result, "setup_s", "gpu_peak_mb", "weights").items() if value}
    if result.best_epochs:
        found["best_epoch"] = math.fsum(result.best_epochs) / len(result.best_epochs)
    return found


def _numbers(result: TrialResult, *names: str) -> dict[str, float]:
    return {name: float(getattr(result, name)) for name in names}
