"""What a blend's event puts into its MLflow run: metrics, params, and tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from workbench.blending.result import BlendResult
from workbench.blending.wording import calibration_in_words, decision_in_words
from workbench.tracking.blend_figures import correlations_png, members_png

TABLES = WEIGHTS, METHODS = "weights.json", "methods.json"
"""The tables among the artifacts."""
SCORES = ("in_sample", "nested", "nested_se", "best_single")
OPTIONAL_SCORES = ("nested_low", "nested_high", "gap")
MEMBER_COLUMNS = ("trial", "weight", "gain", "score", "score_se", "family", "values", "fit_key")
METHOD_COLUMNS = ("nested_se", "low", "high", "behind_best_se", "in_sample", "members", "seconds")
"""MLflow's page shows four columns of a table at first: the others follow those that tell most."""
DIGITS = 6
"""Significant digits of numbers in tables."""


def scores(blend: BlendResult) -> dict[str, float]:
    """Return a blend's scores by name, which its sweep shows too; what is not known is left out."""
    found = {name: float(getattr(blend, name)) for name in SCORES}
    found |= {name: float(value) for name in OPTIONAL_SCORES if (value := getattr(blend, name)) is not None}
    return found | ({} if blend.holdout is None else blend.holdout.model_dump())


def by_member(blend: BlendResult) -> dict[str, float]:
    """Return the weight and, where it is known, the gain of each member, as metrics."""
    weights = {f"weight/{member.trial}": member.weight for member in blend.members}
    return weights | {f"gain/{member.trial}": member.gain for member in blend.members if member.gain is not None}


def params(blend: BlendResult, config: Mapping[str, object]) -> dict[str, object]:
    """Return how a blend was made; ``config`` is that of its sweep. What an old event does not tell is left out."""
    ensemble = config.get("ensemble")
    given = ensemble if isinstance(ensemble, Mapping) else {}
    found: dict[str, object] = {"method": blend.method, "members": len(blend.members)}
    found |= {"selection": given["members"]} if "members" in given else {}
    found |= {"bagging": given["bagging"]} if "bagging" in given else {}
    if blend.fitted is not None:
        found["calibration"] = calibration_in_words(blend.fitted.calibration)
        found["decision"] = decision_in_words(blend.fitted.decision)
    return found


def files(blend: BlendResult, metric: str) -> dict[str, Callable[[], bytes]]:
    """Return the artifacts of a blend's run, each made when it is asked for; what an old event does not tell is absent.

    Of a single member nothing is drawn.
    """
    found: dict[str, Callable[[], bytes]] = {WEIGHTS: partial(weights_table, blend)}
    if blend.considered:
        found[METHODS] = partial(methods_table, blend)
    if len(blend.correlations) > 1:
        found["correlations.png"] = partial(correlations_png, blend)
        found["members.png"] = partial(members_png, blend, metric)
    return found


def weights_table(blend: BlendResult) -> bytes:
    """Return the members as a table of MLflow's, heaviest first."""
    rows = [
        [json.dumps(member.values) if name == "values" else getattr(member, name) for name in MEMBER_COLUMNS]
        for member in blend.members
    ]
    return _table(MEMBER_COLUMNS, rows)


def methods_table(blend: BlendResult) -> bytes:
    """Return the methods that were compared as a table of MLflow's, simplest first."""
    notes = [row.failure or ("chosen" if row.method == blend.method else "") for row in blend.considered]
    rows = [
        [row.method, row.nested, row.behind_best, note, *(getattr(row, name) for name in METHOD_COLUMNS)]
        for row, note in zip(blend.considered, notes, strict=True)
    ]
    return _table(("method", "nested", "behind_best", "note", *METHOD_COLUMNS), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Return what `mlflow.log_table` writes, which would append to what an earlier replay has written."""
    table = {"columns": list(columns), "data": [[_cell(value) for value in row] for row in rows]}
    return json.dumps(table).encode()


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
