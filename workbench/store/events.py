"""What happened, as the ledger's append-only log keeps it. Projections see nothing else but the epoch reports.

Each event carries all that a projection needs, so that a replay from event 0 needs no other table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from workbench.blending.result import BlendResult
from workbench.types import (
    AttemptState,
    Direction,
    Failure,
    Origin,
    Stage,
    TrialResult,
    Value,
    Values,
    Verdict,
)


class SweepStarted(Value):
    """A sweep began. Its MLflow run is called ``title``, such as ``0042 nightly 2026-11-20``."""

    kind: Literal["sweep.started"] = "sweep.started"
    sweep: int
    experiment: str
    title: str
    metric: str
    direction: Direction
    monitor: str
    """The metric whose values the epoch reports carry."""
    seed: int
    config: dict[str, Any]
    data_key: str
    plan_key: str
    splits: int
    provenance: dict[str, str] = Field(default_factory=dict)
    """``git_commit``, ``git_dirty`` and versions (``python``, ``keras``, ``jax`` …)."""


class TrialStarted(Value):
    """An attempt at a trial began; a second attempt of the same trial continues the same run."""

    kind: Literal["trial.started"] = "trial.started"
    sweep: int
    study: int
    trial: int
    attempt: int
    family: str
    features: str = ""
    number: int
    values: Values
    code: str
    origin: Origin = "search"
    note: str = ""
    """What the idea is, in the words of who tried it."""
    stage: Stage = "whole"
    """A screening, or the whole trial that follows one, are two attempts of the same trial."""
    epochs: int | None = None
    """At most so many epochs or rounds, where an engine of few epochs first said so."""
    author: str = ""
    """The team member whose ledger ran it; empty for one's own."""


class TrialFinished(Value):
    """An attempt ended; ``lost`` is not the trial's end, every other state is."""

    kind: Literal["trial.finished"] = "trial.finished"
    sweep: int
    study: int
    trial: int
    attempt: int
    family: str
    number: int
    state: AttemptState
    result: TrialResult | None = None
    failure: Failure | None = None
    message: str = ""
    """Of a pruned trial: where and why, such as ``split 2, epoch 7: worse than the median``."""
    device: str = ""
    """What its worker had to itself, such as ``gpu:0``; empty where there is nothing to tell apart."""


class TrialCompared(Value):
    """A trial was compared with another one, split by split; ``difference`` is this one's score minus the other's."""

    kind: Literal["trial.compared"] = "trial.compared"
    sweep: int
    study: int
    trial: int
    family: str
    number: int
    against: str
    """Name of the other trial."""
    difference: float
    difference_se: float | None
    """Standard error, corrected for overlapping training sets; ``None`` of a single split."""
    p: float | None
    seed_noise: float
    """Standard deviation of the other trial's score over seeds."""
    verdict: Verdict
    note: str = ""


class BlendFinished(Value):
    """A blend was fitted on a sweep's trials."""

    kind: Literal["blend.finished"] = "blend.finished"
    sweep: int
    blend: BlendResult


class ModelExported(Value):
    """A blend was written as an MLflow model; the registry projection registers it."""

    kind: Literal["model.exported"] = "model.exported"
    sweep: int
    experiment: str
    folder: Path
    """The local MLflow model folder (``MLmodel`` lies in it)."""
    metric: str
    direction: Direction
    score: float
    """The blend's nested score, by which champions are compared."""
    data_key: str
    plan_key: str


class SweepFinished(Value):
    """A sweep ended; ``artifacts`` are files for the sweep's run (result.json, leaderboard.csv, submission.csv)."""

    kind: Literal["sweep.finished"] = "sweep.finished"
    sweep: int
    state: Literal["complete", "interrupted", "failed"]
    message: str = ""
    artifacts: tuple[Path, ...] = ()


Event = Annotated[
    SweepStarted | TrialStarted | TrialFinished | TrialCompared | BlendFinished | ModelExported | SweepFinished,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(ser_json_inf_nan="constants"))
